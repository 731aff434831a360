//! Reads protobuf field by field, without allocating. Stricter than protobuf asks: fields come in
//! the order of their numbers, so that none comes twice, and unknown ones are refused, because a
//! newer sender speaks a newer version.

use super::fault::{bad_value, malformed, unknown_version};
use crate::{Epoch, Invalid, batch::VERSION};

/// The rest of a message.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    name: &'static str,
    last: u32,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 1.
    Fixed(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
}

impl<'a> Reader<'a> {
    /// `name` is what errors call the message.
    pub(super) const fn new(name: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            name,
            last: 0,
        }
    }

    /// Number and value of the next field.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Invalid> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Some(field) = self.field() else {
            return Err(malformed(self.name, "no protobuf, or cut short"));
        };
        if field.0 < self.last {
            return Err(malformed(
                self.name,
                format!("field {} comes too late", field.0),
            ));
        }
        self.last = field.0;
        Ok(Some(field))
    }

    /// The next field, which may not have come before.
    #[inline]
    pub(super) fn next_once(&mut self) -> Result<Option<(u32, Value<'a>)>, Invalid> {
        let last = self.last;
        match self.next()? {
            Some((number, _)) if number == last => {
                Err(malformed(self.name, format!("field {number} comes twice")))
            }
            field => Ok(field),
        }
    }

    #[inline]
    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.rest)?),
            1 => {
                let (eight, rest) = self.rest.split_first_chunk()?;
                self.rest = rest;
                Value::Fixed(u64::from_le_bytes(*eight))
            }
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).ok()?;
                let (bytes, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            _ => return None,
        };
        Some((number, value))
    }

    /// Refuses a field that version 1 does not have there, or not so.
    pub(super) fn unknown<T>(&self, number: u32) -> Result<T, Invalid> {
        let message = format!("field {number} is none of version {VERSION}, or of another type");
        Err(malformed(self.name, message))
    }

    /// Reads the version, which is the first field of whatever has one.
    pub(super) fn version(&mut self) -> Result<(), Invalid> {
        match self.next()? {
            Some((1, Value::Number(version))) if version == u64::from(VERSION) => Ok(()),
            Some((1, Value::Number(version))) => {
                Err(unknown_version(format!("{}.version", self.name), version))
            }
            _ => Err(malformed(self.name, "does not begin with a version")),
        }
    }
}

/// The next varint, of at most 64 bits: most often of one byte.
#[inline]
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    match rest {
        [byte @ 0..0x80, after @ ..] => {
            let number = u64::from(*byte);
            *rest = after;
            Some(number)
        }
        _ => long_varint(rest),
    }
}

/// The next varint, of any number of bytes up to ten.
#[inline]
pub(super) fn long_varint(rest: &mut &[u8]) -> Option<u64> {
    if let Some(eight) = rest.first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends != 0 {
            let bytes = ends.trailing_zeros() as usize / 8 + 1;
            *rest = &rest[bytes..];
            return Some(joined(word & (ends ^ (ends - 1))));
        }
    }
    slow_varint(rest)
}

/// The seven bits of each byte beside each other.
#[inline]
const fn joined(word: u64) -> u64 {
    let word = word & 0x7f7f_7f7f_7f7f_7f7f;
    let word = (word & 0x7f00_7f00_7f00_7f00) >> 1 | (word & 0x007f_007f_007f_007f);
    let word = (word & 0x3fff_0000_3fff_0000) >> 2 | (word & 0x0000_3fff_0000_3fff);
    (word & 0x0fff_ffff_0000_0000) >> 4 | (word & 0x0000_0000_0fff_ffff)
}

/// One of more than 56 bits, or near the end.
#[inline(never)]
fn slow_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for (at, &byte) in rest.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *rest = &rest[at + 1..];
            // The tenth byte has room for one bit.
            return (at < 9 || byte <= 1).then_some(number);
        }
    }
    None
}

/// A text that is not empty where it may not be, and not too long.
pub(super) fn text(field: &str, bytes: &[u8], most_bytes: usize) -> Result<String, Invalid> {
    if bytes.len() > most_bytes {
        let message = format!("{} bytes, at most {most_bytes}", bytes.len());
        return Err(bad_value(field, message));
    }
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| bad_value(field, "is not UTF-8"))
}

/// An epoch, or whatever else is 128 random bits.
pub(super) fn epoch(field: &str, bytes: &[u8]) -> Result<Epoch, Invalid> {
    let bytes = bytes.try_into().map_err(|_| {
        let message = format!("{} bytes where 16 are due", bytes.len());
        malformed(field, message)
    })?;
    Ok(Epoch(bytes))
}
