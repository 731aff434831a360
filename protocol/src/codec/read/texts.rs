//! The texts and lists of a batch.

use std::sync::Arc;

use super::super::{
    bits,
    fault::{malformed, too_large},
    reader::{Reader, Value, varint},
};
use super::made::{self, Counts};
use crate::{Invalid, Limits, columns::Texts};

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
    pub(super) fn read(
        (uuids, bits): (usize, &mut bits::Reader<'_>),
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Self, Invalid> {
        let mut reader = Reader::new("texts", bytes);
        let [mut utf8, mut list_lengths, mut items]: [&[u8]; 3] = [&[]; 3];
        let mut counts = Counts {
            uuids,
            ..Counts::default()
        };
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        while let Some((number, value)) = reader.next_once()? {
            match (number, value) {
                (1, Value::Number(told)) => counts.told = count(told),
                (2, Value::Number(hashed)) => counts.hashed = count(hashed),
                (3, Value::Number(suffixed)) => counts.suffixed = count(suffixed),
                (4, Value::Number(joined)) => counts.joined = count(joined),
                (5, Value::Bytes(bytes)) => utf8 = bytes,
                (6, Value::Bytes(bytes)) => list_lengths = bytes,
                (7, Value::Bytes(bytes)) => items = bytes,
                _ => return reader.unknown(number),
            }
        }
        let mut dictionary = Self {
            texts: Arc::new(made::read(&counts, utf8, bits, limits)?),
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

pub(super) fn end(length: usize) -> Result<u32, Invalid> {
    u32::try_from(length).map_err(|_| too_large("texts", "more than 4 GiB"))
}

pub(super) fn bounded(field: &str, count: usize, most: usize) -> Result<(), Invalid> {
    match count <= most {
        true => Ok(()),
        false => Err(too_large(field, format!("{count}, at most {most}"))),
    }
}
