//! The texts of a file by number: one that came with a thousand batches is hashed a thousand times,
//! but never for each of their rows.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use protocol::Epoch;

/// Number that stands for no text.
pub const ABSENT: u32 = u32::MAX;

/// See the module.
#[derive(Default)]
pub struct Pool {
    texts: Texts,
    shared: HashTable<Entry>,
    own: Own,
    /// With random keys: labels are texts that any user of a cluster chooses.
    hasher: DefaultHashBuilder,
}

/// Names of the pods of one sender, which hardly any other sends. They come in the same order window
/// after window, so that those of its last batch find them without a table.
#[derive(Default)]
struct Own {
    epoch: Epoch,
    /// Numbers that its last batch had.
    last: Vec<u32>,
    /// Where the next one is looked for.
    at: usize,
    /// Numbers that this batch has so far.
    now: Vec<u32>,
}

/// So many of the last batch's pods may have gone, one after the other, until they are not found again.
const NEAR: usize = 8;

/// The hash is kept so that growing reads no text.
struct Entry {
    hash: u64,
    number: u32,
}

/// Texts by number. Those that every batch is compared with lie close together.
#[derive(Default)]
struct Texts {
    shared: String,
    own: String,
    places: Vec<Place>,
}

struct Place {
    start: u32,
    /// How many bytes, and in the highest bit whether among the own ones.
    len: u32,
}

const IS_OWN: u32 = 1 << 31;

impl Pool {
    /// The text's number, the same for all senders.
    pub fn shared(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let is_it = |entry: &Entry| entry.hash == hash && self.texts.get(entry.number) == text;
        if let Some(entry) = self.shared.find(hash, is_it) {
            return entry.number;
        }
        let number = self.texts.push(text, false);
        let entry = Entry { hash, number };
        self.shared.insert_unique(hash, entry, |entry| entry.hash);
        number
    }

    /// The text's number, mostly the same for this sender: texts of different numbers may be equal.
    pub fn own(&mut self, text: &str) -> u32 {
        let Own { last, at, now, .. } = &mut self.own;
        let near = last.iter().skip(*at).take(NEAR);
        let found = near
            .enumerate()
            .find(|(_, number)| self.texts.get(**number) == text);
        let number = match found {
            Some((further, number)) => {
                *at += further + 1;
                *number
            }
            None => self.texts.push(text, true),
        };
        now.push(number);
        number
    }

    /// A number of its own for a text that comes once, though it may be there under another.
    pub fn add(&mut self, text: &str) -> u32 {
        self.texts.push(text, true)
    }

    /// What comes now is a batch of this sender.
    pub fn batch_of(&mut self, epoch: Epoch) {
        let own = &mut self.own;
        std::mem::swap(&mut own.last, &mut own.now);
        own.now.clear();
        own.at = 0;
        if epoch != own.epoch {
            own.epoch = epoch;
            own.last.clear();
        }
    }

    /// The text of a number.
    pub fn get(&self, number: u32) -> &str {
        self.texts.get(number)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.places.len()
    }

    /// How many bytes they take. Stays far below what a `u32` holds: a file is closed before.
    pub fn bytes(&self) -> usize {
        self.texts.shared.len().saturating_add(self.texts.own.len())
    }
}

impl Texts {
    fn get(&self, number: u32) -> &str {
        let Some(place) = self.places.get(number as usize) else {
            return "";
        };
        let all = if place.len & IS_OWN == 0 {
            &self.shared
        } else {
            &self.own
        };
        let start = place.start as usize;
        let end = start.saturating_add((place.len & !IS_OWN) as usize);
        all.get(start..end).unwrap_or_default()
    }

    fn push(&mut self, text: &str, is_own: bool) -> u32 {
        let (all, own) = match is_own {
            true => (&mut self.own, IS_OWN),
            false => (&mut self.shared, 0),
        };
        let start = as_u32(all.len());
        all.push_str(text);
        let len = as_u32(text.len()) | own;
        let number = as_u32(self.places.len());
        self.places.push(Place { start, len });
        number
    }
}

/// Saturates, where no such size can come: a file's texts are bounded.
pub fn as_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
