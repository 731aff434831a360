//! The texts and lists of a batch.

use std::sync::Arc;

use super::super::{
    fault::{bad_value, malformed, too_large},
    reader::{Reader, Value, varint},
};
use crate::{Invalid, Limits, columns::Texts};

/// Characters of a UUID.
const UUID_CHARACTERS: usize = 36;

/// What columns refer to by number.
#[derive(Default)]
pub(super) struct Dictionary {
    /// The texts.
    pub(super) texts: Arc<Texts>,
    /// Texts of all lists.
    items: Vec<u32>,
    /// Where each list ends in the items.
    ends: Vec<u32>,
    /// Bytes of each list when written out.
    written: Vec<usize>,
}

impl Dictionary {
    /// The list of this number and its bytes when written out.
    #[inline]
    pub(super) fn list(&self, number: u32) -> Option<(&[u32], usize)> {
        let number = number as usize;
        let start = match number.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let end = *self.ends.get(number)?;
        let items = self.items.get(start as usize..end as usize)?;
        Some((items, *self.written.get(number)?))
    }

    /// Reads and checks it. UUIDs have the first numbers.
    pub(super) fn read(uuids: &[u8], bytes: &[u8], limits: &Limits) -> Result<Self, Invalid> {
        let mut reader = Reader::new("texts", bytes);
        let [mut lengths, mut utf8, mut list_lengths, mut items]: [&[u8]; 4] = [&[]; 4];
        while let Some((number, value)) = reader.next_once()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => lengths = bytes,
                (2, Value::Bytes(bytes)) => utf8 = bytes,
                (3, Value::Bytes(bytes)) => list_lengths = bytes,
                (4, Value::Bytes(bytes)) => items = bytes,
                _ => return reader.unknown(number),
            }
        }
        let mut dictionary = Self {
            texts: Arc::new(texts(uuids, lengths, utf8, limits)?),
            ..Self::default()
        };
        dictionary.lists(list_lengths, items, limits)?;
        Ok(dictionary)
    }

    fn lists(
        &mut self,
        mut lengths: &[u8],
        mut items: &[u8],
        limits: &Limits,
    ) -> Result<(), Invalid> {
        while !lengths.is_empty() {
            let length = varint(&mut lengths).and_then(|length| usize::try_from(length).ok());
            let length = length.ok_or_else(|| malformed("texts.list_lengths", "no numbers"))?;
            bounded("texts.list_lengths", length, limits.list_items)?;
            bounded("texts.list_lengths", self.ends.len() + 1, limits.texts)?;
            bounded("texts.items", self.items.len() + length, limits.texts)?;
            let mut written: usize = 0;
            for _ in 0..length {
                let number = varint(&mut items).and_then(|number| u32::try_from(number).ok());
                let text = number.and_then(|number| Some((number, self.texts.get(number)?)));
                let (number, text) =
                    text.ok_or_else(|| malformed("texts.items", "are fewer, or name no text"))?;
                written = written.saturating_add(text.len() + size_of::<u32>());
                self.items.push(number);
            }
            self.ends.push(end(self.items.len())?);
            self.written.push(written);
        }
        match items.is_empty() {
            true => Ok(()),
            false => Err(malformed("texts.items", "are more than the lists have")),
        }
    }
}

fn texts(uuids: &[u8], mut lengths: &[u8], utf8: &[u8], limits: &Limits) -> Result<Texts, Invalid> {
    let (uuids, rest) = uuids.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(malformed("uuids", "are not of 16 bytes each"));
    }
    // Each length takes a byte or more.
    bounded(
        "texts",
        uuids.len() + lengths.len(),
        limits.texts.saturating_mul(2),
    )?;
    let utf8 = std::str::from_utf8(utf8).map_err(|error| {
        let message = format!("byte {} is not UTF-8", error.valid_up_to());
        bad_value("texts.utf8", message)
    })?;
    let mut all = String::with_capacity(uuids.len() * UUID_CHARACTERS + utf8.len());
    let mut ends = Vec::with_capacity(uuids.len() + lengths.len());
    for uuid in uuids {
        push_uuid(&mut all, uuid);
        ends.push(end(all.len())?);
    }
    let mut length = all.len();
    all.push_str(utf8);
    while !lengths.is_empty() {
        let bytes = varint(&mut lengths).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| malformed("texts.lengths", "no numbers"))?;
        bounded("texts.lengths", bytes, limits.text_bytes)?;
        length += bytes;
        ends.push(end(length)?);
    }
    bounded("texts", ends.len(), limits.texts)?;
    if length != all.len() {
        return Err(malformed("texts.lengths", "are not those of the texts"));
    }
    Texts::new(all, ends).ok_or_else(|| bad_value("texts.lengths", "a character is cut in two"))
}

/// A UUID in its usual form.
fn push_uuid(all: &mut String, uuid: &[u8; 16]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut text = [b'-'; UUID_CHARACTERS];
    let mut at = 0;
    for byte in uuid {
        if matches!(at, 8 | 13 | 18 | 23) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    all.push_str(std::str::from_utf8(&text).unwrap_or_default());
}

fn end(length: usize) -> Result<u32, Invalid> {
    u32::try_from(length).map_err(|_| too_large("texts", "more than 4 GiB"))
}

fn bounded(field: &str, count: usize, most: usize) -> Result<(), Invalid> {
    match count <= most {
        true => Ok(()),
        false => Err(too_large(field, format!("{count}, at most {most}"))),
    }
}
