//! Which batch it is, and what a gap says.

use super::{
    super::{
        NAME_BYTES,
        fault::{bad_value, malformed},
        reader::{Reader, Value, epoch, text, varint},
        schema,
    },
    numbers,
};
use crate::{Epoch, Gap, GapReason, Header, Invalid, Limits, Previous, Table, Timestamp};

/// Reads and checks a header.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Invalid> {
    let mut header = Header {
        cluster: String::new(),
        node: String::new(),
        boot_id: String::new(),
        epoch: Epoch::default(),
        seq: 0,
        previous: None,
        window_start: Timestamp::default(),
        window_end: Timestamp::default(),
    };
    let mut has_epoch = false;
    let mut reader = Reader::new("header", bytes);
    while let Some((number, value)) = reader.next_once()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => header.cluster = name("header.cluster", bytes)?,
            (2, Value::Bytes(bytes)) => header.node = name("header.node", bytes)?,
            (3, Value::Bytes(bytes)) => {
                header.boot_id = text("header.boot_id", bytes, NAME_BYTES)?;
            }
            (4, Value::Bytes(bytes)) => {
                header.epoch = epoch("header.epoch", bytes)?;
                has_epoch = true;
            }
            (5, Value::Number(seq)) => header.seq = seq,
            (6, Value::Bytes(bytes)) => header.previous = Some(previous(bytes)?),
            (7, Value::Number(us)) => header.window_start.unix_us = us.cast_signed(),
            (8, Value::Number(us)) => header.window_end.unix_us = us.cast_signed(),
            _ => return reader.unknown(number),
        }
    }
    if !has_epoch {
        return Err(malformed("header.epoch", "is absent"));
    }
    check(&header)?;
    Ok(header)
}

fn check(header: &Header) -> Result<(), Invalid> {
    for (field, name) in [
        ("header.cluster", &header.cluster),
        ("header.node", &header.node),
    ] {
        if name.is_empty() {
            return Err(malformed(field, "is empty"));
        }
    }
    for (field, time) in [
        ("header.window_start", header.window_start),
        ("header.window_end", header.window_end),
    ] {
        if !numbers::is_time(time.unix_us) {
            let message = format!("{} µs since 1970 is not in this century", time.unix_us);
            return Err(bad_value(field, message));
        }
    }
    if header.window_start > header.window_end {
        return Err(bad_value(
            "header.window_start",
            "is after the window's end",
        ));
    }
    seq("header.seq", header.seq)?;
    match header.previous {
        Some(_) if header.seq != 1 => Err(malformed("header.previous", "is only told with seq 1")),
        _ => Ok(()),
    }
}

/// A seq, which becomes a long of the tables.
fn seq(field: &str, seq: u64) -> Result<(), Invalid> {
    match i64::try_from(seq) {
        Ok(1..) => Ok(()),
        _ => Err(bad_value(field, format!("{seq} is not from 1 to 2^63 - 1"))),
    }
}

/// The name of a node or a cluster.
pub(in crate::codec) fn name(field: &str, bytes: &[u8]) -> Result<String, Invalid> {
    text(field, bytes, NAME_BYTES)
}

fn previous(bytes: &[u8]) -> Result<Previous, Invalid> {
    let mut reader = Reader::new("header.previous", bytes);
    let (mut of, mut last) = (None, 0);
    while let Some((number, value)) = reader.next_once()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => of = Some(epoch("header.previous.epoch", bytes)?),
            (2, Value::Number(number)) => last = number,
            _ => return reader.unknown(number),
        }
    }
    seq("header.previous.last", last)?;
    let epoch = of.ok_or_else(|| malformed("header.previous.epoch", "is absent"))?;
    Ok(Previous { epoch, last })
}

/// Reads and checks what a gap says.
pub(super) fn gap(bytes: &[u8], limits: &Limits) -> Result<Gap, Invalid> {
    let mut reader = Reader::new("gap", bytes);
    let mut reason = None;
    let mut gap = Gap {
        reason: GapReason::SpoolLost,
        message: String::new(),
        rows_lost: crate::Counts::default(),
    };
    while let Some((number, value)) = reader.next_once()? {
        match (number, value) {
            (1, Value::Number(number)) => reason = Some(self::reason(number)?),
            (2, Value::Bytes(bytes)) => {
                gap.message = text("gap.message", bytes, limits.text_bytes)?;
            }
            (3, Value::Bytes(mut bytes)) => {
                for table in Table::ALL {
                    gap.rows_lost[table] = lost(&mut bytes)?;
                }
                if !bytes.is_empty() {
                    return Err(malformed(
                        "gap.rows_lost",
                        "has more than one for each table",
                    ));
                }
            }
            _ => return reader.unknown(number),
        }
    }
    gap.reason = reason.ok_or_else(|| malformed("gap.reason", "is absent"))?;
    Ok(gap)
}

fn reason(number: u64) -> Result<GapReason, Invalid> {
    match u32::try_from(number) {
        Ok(schema::REASON_SPOOL_FULL) => Ok(GapReason::SpoolFull),
        Ok(schema::REASON_SPOOL_AGE) => Ok(GapReason::SpoolAge),
        Ok(schema::REASON_SPOOL_LOST) => Ok(GapReason::SpoolLost),
        Ok(schema::REASON_REFUSED) => Ok(GapReason::Refused),
        _ => Err(malformed(
            "gap.reason",
            format!("{number} is none of version 1"),
        )),
    }
}

fn lost(bytes: &mut &[u8]) -> Result<u64, Invalid> {
    let lost =
        varint(bytes).ok_or_else(|| malformed("gap.rows_lost", "is not one for each table"))?;
    match i64::try_from(lost) {
        Ok(_) => Ok(lost),
        Err(_) => Err(bad_value(
            "gap.rows_lost",
            format!("{lost} rows are too many"),
        )),
    }
}
