//! CPU accounts, and which account keeps the windows of which: beside each key lies the place of the
//! owner. A place is never given to another key while a cell still points there.

use std::{io, sync::atomic::Ordering};

use agent_common::{
    cpu::CpuUsage,
    table::{OWN, owned_by},
};
use aya::maps::MapData;

use super::{
    sys::MappedCells,
    table::{Table, map_cells},
};

/// The table of CPU accounts with their owners.
#[derive(Debug)]
pub(super) struct CpuTable {
    accounts: Table<CpuUsage>,
    owners: MappedCells,
}

impl CpuTable {
    /// Maps keys and owners, and ends what a killed agent had begun.
    pub(super) fn open(keys: &MapData, owners: &MapData, accounts: &MapData) -> io::Result<Self> {
        let table = Self {
            accounts: Table::open(keys, accounts, CpuUsage::ZERO)?,
            owners: map_cells(owners)?,
        };
        table.accounts.recover(|place| table.let_go(place))?;
        Ok(table)
    }

    /// As [`Table::for_each`].
    pub(super) fn for_each(&self, visit: impl FnMut(u64, &CpuUsage)) -> io::Result<()> {
        self.accounts.for_each(visit)
    }

    /// As [`Table::visit`].
    pub(super) fn visit(&self, key: u64, visit: impl FnMut(&CpuUsage)) -> io::Result<()> {
        self.accounts.visit(key, visit)
    }

    /// As [`Table::remove`].
    pub(super) fn remove(&self, key: u64) -> io::Result<()> {
        self.accounts.remove(key, |place| self.let_go(place))
    }

    /// Makes `owner` keep the windows of `child` from now on, itself if they are the same. Tells whether
    /// both have a place; if not, no windows have moved.
    pub(super) fn charge_windows_to(&self, child: u64, owner: u64) -> bool {
        let Some(owner_place) = self.accounts.place(owner) else {
            return false;
        };
        if self.accounts.place(child).is_none() {
            return false;
        }
        let owner_cell = if child == owner {
            OWN
        } else {
            owned_by(owner_place)
        };
        // Rarely a key has two places, and the programs may have met either.
        for place in self.accounts.places_of(child) {
            self.owners.cells()[place as usize].store(owner_cell, Ordering::Release);
        }
        true
    }

    /// An account that is given back owns nothing and has no owner: those whose windows it kept keep
    /// them again themselves.
    fn let_go(&self, place: u32) {
        let cells = self.owners.cells();
        cells[place as usize].store(OWN, Ordering::Release);
        let pointing = owned_by(place);
        for cell in cells {
            if cell.load(Ordering::Relaxed) == pointing {
                cell.store(OWN, Ordering::Release);
            }
        }
    }
}
