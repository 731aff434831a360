//! The order of texts and of other keys that compare byte by byte.

use super::texts::Pool;

/// Groups up to this size are compared whole; larger ones by eight bytes at a time, which stand
/// beside the number and cost no look at the text.
const SMALL: usize = 24;
/// Where that ends: what is equal up to here is compared whole, too, however many there are.
const DEEP: usize = 512;

/// Each of these numbers once.
pub fn distinct(pool: &Pool, numbers: &[u32]) -> Vec<u32> {
    let mut seen = vec![false; pool.len()];
    let is_new = |number: &u32| {
        let seen = seen.get_mut(*number as usize);
        seen.is_some_and(|seen| !std::mem::replace(seen, true))
    };
    numbers.iter().copied().filter(is_new).collect()
}

/// Ranks of texts.
pub struct Ranks {
    /// A number of each different text, by rank.
    pub texts: Vec<u32>,
    /// Their ranks compare as they do.
    pub is_sorted: bool,
    /// The rank by number. Different numbers of equal texts have one rank.
    ranks: Vec<u32>,
}

impl Ranks {
    /// Of the texts of these numbers.
    pub fn new(pool: &Pool, numbers: Vec<u32>) -> Self {
        let mut sorted = sorted(numbers, &|number| pool.get(number).as_bytes());
        let mut ranks = vec![0; pool.len()];
        let (mut rank, mut last) = (0, None);
        sorted.retain(|number| {
            let text = pool.get(*number);
            let is_new = last.is_some_and(|last| last != text);
            rank += u32::from(is_new);
            if let Some(slot) = ranks.get_mut(*number as usize) {
                *slot = rank;
            }
            last.replace(text).is_none() || is_new
        });
        Self {
            texts: sorted,
            is_sorted: true,
            ranks,
        }
    }

    /// Of texts that need no order: the first to come is the least.
    pub fn as_they_came(pool: &Pool, numbers: Vec<u32>) -> Self {
        let mut ranks = vec![0; pool.len()];
        for (rank, number) in (0..).zip(&numbers) {
            if let Some(slot) = ranks.get_mut(*number as usize) {
                *slot = rank;
            }
        }
        Self {
            texts: numbers,
            is_sorted: false,
            ranks,
        }
    }

    /// The rank of a text, from 0.
    pub fn of(&self, number: u32) -> u32 {
        self.ranks.get(number as usize).copied().unwrap_or(0)
    }
}

/// Numbers in the order of their keys, those of equal keys in their own.
pub fn sorted<'a>(numbers: Vec<u32>, key: &impl Fn(u32) -> &'a [u8]) -> Vec<u32> {
    let mut keys: Vec<(u64, u32)> = numbers.into_iter().map(|number| (0, number)).collect();
    sort(&mut keys, key, 0);
    keys.into_iter().map(|(_, number)| number).collect()
}

/// Sorts keys that are equal up to `depth`.
fn sort<'a>(keys: &mut [(u64, u32)], key: &impl Fn(u32) -> &'a [u8], depth: usize) {
    if keys.len() <= SMALL || depth >= DEEP {
        return sort_whole(keys, key);
    }
    for slot in &mut *keys {
        slot.0 = eight(key(slot.1), depth);
    }
    keys.sort_unstable_by_key(|slot| slot.0);
    let next = depth + 8;
    for group in keys.chunk_by_mut(|a, b| a.0 == b.0) {
        match group.len() {
            1 => {}
            // Zero bytes of a key and its end look alike in these eight.
            _ if group.iter().any(|slot| key(slot.1).len() < next) => sort_whole(group, key),
            _ => sort(group, key, next),
        }
    }
}

fn sort_whole<'a>(keys: &mut [(u64, u32)], key: &impl Fn(u32) -> &'a [u8]) {
    keys.sort_unstable_by(|a, b| key(a.1).cmp(key(b.1)).then(a.1.cmp(&b.1)));
}

/// Eight bytes from `depth`, zeros after the end, so that they compare as the keys do.
fn eight(key: &[u8], depth: usize) -> u64 {
    let rest = key.get(depth..).unwrap_or_default();
    if let Some(eight) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*eight);
    }
    let mut eight = [0; 8];
    eight
        .iter_mut()
        .zip(rest)
        .for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(eight)
}
