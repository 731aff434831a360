//! Reads a batch straight into columns, and checks all of it on the way.

mod check;
mod column;
mod derived;
mod header;
mod made;
mod numbers;
mod run;
mod table;
mod texts;
mod values;

use super::{
    fault::malformed,
    reader::{Reader, Value},
};
use crate::{Batch, Body, Invalid, Limits};

pub(super) use header::name;

/// Reads the content of a frame.
pub(super) fn batch(content: &[u8], limits: &Limits) -> Result<Batch, Invalid> {
    let mut reader = Reader::new("batch", content);
    reader.version()?;
    let Some((2, Value::Bytes(bytes))) = reader.next_once()? else {
        return Err(malformed("header", "is absent"));
    };
    let header = header::header(bytes)?;
    let mut tables = table::Tables::new(limits, header.window_end);
    let mut gap = None;
    while let Some((number, value)) = reader.next()? {
        match (number, value) {
            (3, Value::Bytes(bytes)) if gap.is_none() => {
                gap = Some(header::gap(bytes, limits)?);
            }
            (4, Value::Number(uuids)) => tables.uuids(uuids)?,
            (5, Value::Bytes(bytes)) => tables.bits(bytes)?,
            (6, Value::Bytes(bytes)) => tables.texts(bytes)?,
            (7, Value::Bytes(bytes)) => tables.add(bytes)?,
            _ => return reader.unknown(number),
        }
    }
    let body = match gap {
        Some(gap) if tables.is_empty() => Body::Gap(gap),
        Some(_) => return Err(malformed("gap", "a gap has neither texts nor tables")),
        None => Body::Whole(tables.finish()?),
    };
    Ok(Batch { header, body })
}
