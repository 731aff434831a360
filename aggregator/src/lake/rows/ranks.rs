//! The order of texts as numbers, so that rows are sorted by comparing integers.

use super::texts::Pool;

/// Groups up to this size are compared whole; larger ones by eight bytes at a time, which stand
/// beside the number and cost no look at the text.
const SMALL: usize = 24;

/// Each of these numbers once.
pub fn distinct(pool: &Pool, numbers: &[u32]) -> Vec<u32> {
    let mut seen = vec![false; pool.len()];
    let is_new = |number: &u32| {
        let seen = seen.get_mut(*number as usize);
        seen.is_some_and(|seen| !std::mem::replace(seen, true))
    };
    numbers.iter().copied().filter(is_new).collect()
}

/// Numbers in the order of their texts.
pub fn sorted(pool: &Pool, numbers: Vec<u32>) -> Vec<u32> {
    let mut keys: Vec<(u64, u32)> = numbers.into_iter().map(|number| (0, number)).collect();
    sort(pool, &mut keys, 0);
    keys.into_iter().map(|(_, number)| number).collect()
}

/// Rank of each text of the pool among those of these numbers, from 1; 0 for the others.
pub fn ranks(pool: &Pool, numbers: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; pool.len()];
    for (rank, number) in (1..).zip(sorted(pool, distinct(pool, numbers))) {
        if let Some(slot) = ranks.get_mut(number as usize) {
            *slot = rank;
        }
    }
    ranks
}

/// Sorts texts that are equal up to `depth`.
fn sort(pool: &Pool, keys: &mut [(u64, u32)], depth: usize) {
    if keys.len() <= SMALL {
        keys.sort_unstable_by(|a, b| pool.get(a.1).cmp(pool.get(b.1)));
        return;
    }
    for key in &mut *keys {
        key.0 = eight(pool.get(key.1).as_bytes(), depth);
    }
    keys.sort_unstable_by_key(|key| key.0);
    for group in keys.chunk_by_mut(|a, b| a.0 == b.0) {
        let ends_here = group
            .iter()
            .any(|key| pool.get(key.1).len() < depth.saturating_add(8));
        match group.len() {
            1 => {}
            // Zero bytes of a text and its end look alike in a key.
            _ if ends_here => {
                group.sort_unstable_by(|a, b| pool.get(a.1).cmp(pool.get(b.1)));
            }
            _ => sort(pool, group, depth.saturating_add(8)),
        }
    }
}

/// Eight bytes from `depth`, zeros after the end, so that they compare as the texts do.
fn eight(text: &[u8], depth: usize) -> u64 {
    let rest = text.get(depth..).unwrap_or_default();
    if let Some(key) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*key);
    }
    let mut key = [0; 8];
    key.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(key)
}
