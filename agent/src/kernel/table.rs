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
    /// Maps the keys. What an agent that was killed had begun to give back is given back now.
    pub(super) fn open(keys: &MapData, accounts: &MapData, zero: V) -> io::Result<Self> {
        let places = keys.info().map_err(io::Error::other)?.max_entries();
        let table = Self {
            keys: sys::map_cells(keys.fd().as_fd(), places as usize)?,
            accounts: owned(accounts)?,
            zero,
        };
        for (place, key) in (0..).zip(table.keys.cells()) {
            if key.load(Ordering::Relaxed) == LEAVING {
                table.free(place)?;
            }
        }
        Ok(table)
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

    /// Gives the places of one key back. Its cgroup is gone, so that no program counts for it.
    pub(super) fn remove(&self, key: u64) -> io::Result<()> {
        for (place, cell) in self.places(key) {
            let was_there =
                cell.compare_exchange(stored(key), LEAVING, Ordering::AcqRel, Ordering::Relaxed);
            if was_there.is_ok() {
                self.free(place)?;
            }
        }
        Ok(())
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
