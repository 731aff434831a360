//! Every text of a file once, by number: a text that came with a thousand batches is hashed a
//! thousand times, but never for each of their rows.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Number that stands for no text.
pub const ABSENT: u32 = u32::MAX;

/// See the module.
#[derive(Default)]
pub struct Pool {
    text: String,
    /// Where each text ends.
    ends: Vec<u32>,
    numbers: HashTable<Entry>,
    /// With random keys: labels are texts that any user of a cluster chooses.
    hasher: DefaultHashBuilder,
}

/// The hash is kept so that growing reads no text.
struct Entry {
    hash: u64,
    number: u32,
}

impl Pool {
    /// The text's number.
    pub fn number(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let is_it =
            |entry: &Entry| entry.hash == hash && get(&self.text, &self.ends, entry.number) == text;
        if let Some(entry) = self.numbers.find(hash, is_it) {
            return entry.number;
        }
        let number = as_u32(self.ends.len());
        self.text.push_str(text);
        self.ends.push(as_u32(self.text.len()));
        self.numbers
            .insert_unique(hash, Entry { hash, number }, |entry| entry.hash);
        number
    }

    /// The text of a number.
    pub fn get(&self, number: u32) -> &str {
        get(&self.text, &self.ends, number)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they take. Stays far below what a `u32` holds: a file is closed before.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}

fn get<'a>(text: &'a str, ends: &[u32], number: u32) -> &'a str {
    let number = number as usize;
    let start = match number.checked_sub(1) {
        Some(before) => ends.get(before).copied().unwrap_or(0),
        None => 0,
    };
    let end = ends.get(number).copied().unwrap_or(start);
    text.get(start as usize..end as usize).unwrap_or_default()
}

/// Saturates, where no such size can come: a file's texts are bounded.
pub fn as_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
