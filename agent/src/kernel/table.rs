//! Reads accounts and gives their places back: the user's side of `agent_common::table`. The keys
//! are mapped into this process; an account is copied only where a key says that there is one.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use agent_common::table::{FREE, LEAVING, PROBES, Places, key_of, stored};
use aya::{Pod, maps::MapData};

use super::{
    load::owned,
    sys::{self, MappedCells},
};

/// A table of keys and the accounts beside it.
#[derive(Debug)]
pub(super) struct Table<V> {
    keys: MappedCells,
    accounts: OwnedFd,
    zero: V,
}

impl<V: Pod> Table<V> {
    /// Maps the keys.
    pub(super) fn open(keys: &MapData, accounts: &MapData, zero: V) -> io::Result<Self> {
        Ok(Self {
            keys: map_cells(keys)?,
            accounts: owned(accounts)?,
            zero,
        })
    }

    /// What an agent that was killed had begun to give back is given back, after `let_go` of its place.
    pub(super) fn recover(&self, let_go: impl Fn(u32)) -> io::Result<()> {
        for (place, key) in (0..).zip(self.keys.cells()) {
            if key.load(Ordering::Relaxed) == LEAVING {
                let_go(place);
                self.free(place)?;
            }
        }
        Ok(())
    }

    /// Visits every account. Of one key there may be two, to be added up.
    pub(super) fn for_each(&self, mut visit: impl FnMut(u64, &V)) -> io::Result<()> {
        for (place, cell) in (0_u32..).zip(self.keys.cells()) {
            let stored = cell.load(Ordering::Relaxed);
            if matches!(stored, FREE | LEAVING) {
                continue;
            }
            if let Some(account) = sys::look_up::<V>(self.accounts.as_fd(), &place)? {
                visit(key_of(stored), &account);
            }
        }
        Ok(())
    }

    /// Visits the account of one key, or the two of it.
    pub(super) fn visit(&self, key: u64, mut visit: impl FnMut(&V)) -> io::Result<()> {
        for (place, cell) in self.places(key) {
            if cell.load(Ordering::Relaxed) == stored(key)
                && let Some(account) = sys::look_up::<V>(self.accounts.as_fd(), &place)?
            {
                visit(&account);
            }
        }
        Ok(())
    }

    /// Gives the places of one key back, after `let_go` of each. Its cgroup is gone, so that no program
    /// counts for it.
    pub(super) fn remove(&self, key: u64, let_go: impl Fn(u32)) -> io::Result<()> {
        for (place, cell) in self.places(key) {
            let was_there =
                cell.compare_exchange(stored(key), LEAVING, Ordering::AcqRel, Ordering::Relaxed);
            if was_there.is_ok() {
                let_go(place);
                self.free(place)?;
            }
        }
        Ok(())
    }

    /// The place of a key, opened as the programs open one if it has none. `None` if the table is full.
    pub(super) fn place(&self, key: u64) -> Option<u32> {
        if let Some(place) = self.places_of(key).next() {
            return Some(place);
        }
        let wanted = stored(key);
        let take = |cell: &AtomicU64| {
            let taken = cell.compare_exchange(FREE, wanted, Ordering::AcqRel, Ordering::Acquire);
            // A program may have taken it for the same key.
            taken.is_ok() || taken == Err(wanted)
        };
        self.places(key)
            .find(|(_, cell)| take(cell))
            .map(|(place, _)| place)
    }

    /// The places that a key has.
    pub(super) fn places_of(&self, key: u64) -> impl Iterator<Item = u32> {
        self.places(key)
            .filter(move |(_, cell)| cell.load(Ordering::Acquire) == stored(key))
            .map(|(place, _)| place)
    }

    /// Where the accounts of a key may be.
    fn places(&self, key: u64) -> impl Iterator<Item = (u32, &AtomicU64)> {
        let cells = self.keys.cells();
        let mut places = Places::of(stored(key), cells.len() as u32 - 1);
        // A table of fewer places than probes comes to each of them more than once.
        (0..PROBES.min(cells.len() as u32)).map(move |_| {
            let place = places.next();
            (place, &cells[place as usize])
        })
    }

    /// An account is zero before anybody can take its place.
    fn free(&self, place: u32) -> io::Result<()> {
        sys::update(self.accounts.as_fd(), &place, &self.zero)?;
        self.keys.cells()[place as usize].store(FREE, Ordering::Release);
        Ok(())
    }
}

/// Maps an array of integers whole.
pub(super) fn map_cells(cells: &MapData) -> io::Result<MappedCells> {
    let length = cells.info().map_err(io::Error::other)?.max_entries();
    sys::map_cells(cells.fd().as_fd(), length as usize)
}
