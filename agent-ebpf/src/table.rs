//! Finds the account of a key, or a place for it; see `agent_common::table`.

use agent_common::table::{FREE, PROBES, Places, stored};
use aya_ebpf::maps::Array;

use crate::atomic;

/// A table of keys and the accounts beside it.
pub(crate) struct Table<V: 'static> {
    pub(crate) keys: &'static Array<u64>,
    pub(crate) accounts: &'static Array<V>,
    /// Places less one.
    pub(crate) mask: u32,
}

impl<V> Table<V> {
    /// The account of a key that has one.
    #[inline(always)]
    pub(crate) fn find(&self, key: u64) -> Option<*mut V> {
        self.accounts.get_ptr_mut(self.find_place(key)?)
    }

    /// Where the account of a key is that has one.
    #[inline(always)]
    pub(crate) fn find_place(&self, key: u64) -> Option<u32> {
        let wanted = stored(key);
        let mut places = Places::of(wanted, self.mask);
        for _ in 0..PROBES {
            let place = places.next();
            let cell = self.keys.get_ptr(place)?;
            // SAFETY: a live value of one integer.
            if unsafe { core::ptr::read_volatile(cell) } == wanted {
                return Some(place);
            }
        }
        None
    }

    /// Takes the first free place for a key that has none. Where two CPUs race for one key, the
    /// later finds the earlier's place. (One that was just given back can let both have a place:
    /// the reader adds them up.)
    #[inline(always)]
    pub(crate) fn open(&self, key: u64) -> Option<*mut V> {
        self.accounts.get_ptr_mut(self.open_place(key)?)
    }

    /// As above; the place.
    #[inline(always)]
    pub(crate) fn open_place(&self, key: u64) -> Option<u32> {
        let wanted = stored(key);
        let mut places = Places::of(wanted, self.mask);
        for _ in 0..PROBES {
            let place = places.next();
            let cell = self.keys.get_ptr_mut(place)?;
            // SAFETY: a live value of one integer.
            let is_free = unsafe { core::ptr::read_volatile(cell) } == FREE;
            if is_free && atomic::replace(cell, FREE, wanted) {
                return Some(place);
            }
            // SAFETY: as above.
            if unsafe { core::ptr::read_volatile(cell) } == wanted {
                return Some(place);
            }
        }
        None
    }
}
