//! Watermark objects, read by the few rules of protobuf that they need.

use std::collections::BTreeMap;

use bytes::Bytes;
use object_store::path::Path;
use protocol::Epoch;

use super::delta::Wrong;
use crate::chaos::store::bucket::Bucket;

/// Highest seq by node and epoch.
pub type Marks = BTreeMap<(String, String), u64>;

/// The watermark of this number; nothing for 0.
pub fn read(bucket: &Bucket, table: &Path, number: u64) -> Result<Marks, Wrong> {
    if number == 0 {
        return Ok(Marks::new());
    }
    let folder = table.clone().join("_podledger").join("wm");
    let path = folder.join(format!("{number:020}"));
    let object = bucket.get(&path);
    let object = object.ok_or_else(|| Wrong(format!("{path} is named, but not there")))?;
    let bytes = zstd::stream::decode_all(object.bytes.as_ref())?;
    let mut marks = Marks::new();
    for (field, value) in fields(&Bytes::from(bytes))? {
        if let (3, Value::Bytes(node)) = (field, value) {
            of_node(&node, &mut marks)?;
        }
    }
    Ok(marks)
}

fn of_node(node: &Bytes, marks: &mut Marks) -> Result<(), Wrong> {
    let fields = fields(node)?;
    let mut name = String::new();
    for (field, value) in fields {
        match (field, value) {
            (1, Value::Bytes(text)) => name = String::from_utf8(text.to_vec())?,
            (2, Value::Bytes(one)) => {
                let (epoch, seq) = of_epoch(&one)?;
                marks.insert((name.clone(), epoch), seq);
            }
            _ => {}
        }
    }
    Ok(())
}

fn of_epoch(one: &Bytes) -> Result<(String, u64), Wrong> {
    let (mut epoch, mut seq) = (Epoch::default(), 0);
    for (field, value) in fields(one)? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => epoch = Epoch(<[u8; 16]>::try_from(bytes.as_ref())?),
            (2, Value::Number(number)) => seq = number,
            _ => {}
        }
    }
    Ok((epoch.to_string(), seq))
}

enum Value {
    Number(u64),
    Bytes(Bytes),
}

fn fields(bytes: &Bytes) -> Result<Vec<(u64, Value)>, Wrong> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let tag = varint(bytes, &mut at)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(bytes, &mut at)?),
            2 => {
                let length = usize::try_from(varint(bytes, &mut at)?)?;
                let end = at.saturating_add(length);
                Value::Bytes(slice(bytes, &mut at, end)?)
            }
            other => return Err(Wrong(format!("a field of the wire type {other}"))),
        };
        fields.push((tag >> 3, value));
    }
    Ok(fields)
}

fn slice(bytes: &Bytes, at: &mut usize, end: usize) -> Result<Bytes, Wrong> {
    if end > bytes.len() || *at > end {
        return Err(Wrong("a field that is cut off".to_owned()));
    }
    let part = bytes.slice(*at..end);
    *at = end;
    Ok(part)
}

fn varint(bytes: &Bytes, at: &mut usize) -> Result<u64, Wrong> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes
            .get(*at)
            .ok_or_else(|| Wrong("a number that is cut off".to_owned()))?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Wrong("a number that is too long".to_owned()))
}
