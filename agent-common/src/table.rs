//! Where an account lies: a table of keys, and at the same index of another table the account.
//!
//! Both are plain arrays, because the kernel reads an array in place by a few instructions, while a
//! look-up in its hash map is three function calls that cost more than all else that a packet does.
//! An account keeps its place until it is given back, so a look-up needs no lock.

/// Places for CPU accounts, one for each cgroup; a power of two.
pub const CPU_ACCOUNTS: u32 = 8_192;
/// Places for network accounts in each shard; a power of two.
pub const NETWORK_ACCOUNTS_PER_SHARD: u32 = 4_096;

/// Places looked at for one key. With half of the places taken, one key in four thousand million
/// finds no place; with nine of ten, one in thirty.
pub const PROBES: u32 = 32;

/// In the table of owners: an account keeps its windows itself.
pub const OWN: u64 = 0;

/// How the place of the account that keeps another's windows is stored: never as [`OWN`].
#[inline(always)]
pub const fn owned_by(place: u32) -> u64 {
    place as u64 + 1
}

/// The place that was stored; past the end of every table for [`OWN`].
#[inline(always)]
pub const fn owner_of(stored: u64) -> u32 {
    stored.wrapping_sub(1) as u32
}

/// No key: the place is free, its account is zero and its own.
pub const FREE: u64 = 0;
/// No key: the account is being taken away.
pub const LEAVING: u64 = u64::MAX;

/// How a key is stored: never as [`FREE`] or [`LEAVING`].
#[inline(always)]
pub const fn stored(key: u64) -> u64 {
    key.wrapping_add(1)
}

/// The key that was stored.
#[inline(always)]
pub const fn key_of(stored: u64) -> u64 {
    stored.wrapping_sub(1)
}

/// The places of one key, in the order in which they are tried: first one, then steps of a width
/// that differs from key to key, so that keys with the same first place part at the second.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    index: u32,
    step: u32,
    mask: u32,
}

impl Places {
    /// The places of `stored` in a table of `mask + 1`.
    #[inline(always)]
    pub const fn of(stored: u64, mask: u32) -> Self {
        // Ids rise by steps, and shards differ in the upper bits only: one multiplication would
        // spread such keys over a part of the table.
        let half = stored.rotate_left(4).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let hash = (half ^ (half >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        Self {
            index: (hash >> 40) as u32,
            // Odd, so that the steps come to every place of a power of two.
            step: (hash >> 12) as u32 | 1,
            mask,
        }
    }

    /// The next place to try.
    #[inline(always)]
    pub const fn next(&mut self) -> u32 {
        let place = self.index & self.mask;
        self.index = self.index.wrapping_add(self.step);
        place
    }
}

const _: () = assert!(CPU_ACCOUNTS.is_power_of_two());
const _: () = assert!(NETWORK_ACCOUNTS_PER_SHARD.is_power_of_two());

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{collections::HashSet, vec, vec::Vec};

    use super::*;
    use crate::network::{MAX_SHARDS, network_key};

    /// Most places that any of the keys had to try.
    fn longest_search(keys: impl Iterator<Item = u64>, places: u32) -> u32 {
        let mut table = vec![FREE; places as usize];
        let mut longest = 0;
        for key in keys {
            let mut search = Places::of(stored(key), places - 1);
            let tries = (1..=PROBES).find(|_| {
                let cell = &mut table[search.next() as usize];
                let is_free = *cell == FREE;
                if is_free {
                    *cell = stored(key);
                }
                is_free
            });
            longest = longest.max(tries.expect("a key finds no place"));
        }
        longest
    }

    /// Ids as the kernel gives them: rising, by steps that depend on what else makes inodes.
    fn ids(count: u64, step: u64) -> impl Iterator<Item = u64> {
        (0..count).map(move |number| 4_000 + number * step)
    }

    #[test]
    fn two_thousand_cgroups_find_their_places_at_once_or_soon() {
        for step in [1, 2, 3, 7, 32, 41, 64, 1_000, 4_096, 16_384, 1 << 20] {
            let keys = ids(2_000, step)
                .flat_map(|id| (0..MAX_SHARDS).map(move |shard| network_key(id, shard)));
            let network = longest_search(keys, NETWORK_ACCOUNTS_PER_SHARD * MAX_SHARDS);
            let one_shard = longest_search(ids(2_000, step), NETWORK_ACCOUNTS_PER_SHARD);
            let cpu = longest_search(ids(4_096, step), CPU_ACCOUNTS);
            assert!(
                network.max(one_shard).max(cpu) < PROBES * 3 / 4,
                "{network}, {one_shard} and {cpu} places tried at steps of {step}"
            );
        }
    }

    #[test]
    fn a_key_tries_different_places() {
        let mut places = Places::of(stored(7), CPU_ACCOUNTS - 1);
        let tried: Vec<u32> = (0..PROBES).map(|_| places.next()).collect();
        assert_eq!(tried.iter().collect::<HashSet<_>>().len(), PROBES as usize);
    }

    #[test]
    fn no_place_is_stored_as_none() {
        assert_ne!(owned_by(0), OWN);
        assert_eq!(owner_of(owned_by(7)), 7);
        assert_eq!(owner_of(OWN), u32::MAX);
    }

    #[test]
    fn no_key_is_stored_as_none() {
        assert_eq!(stored(0), 1);
        assert_eq!(key_of(stored(u64::MAX - 2)), u64::MAX - 2);
    }
}
