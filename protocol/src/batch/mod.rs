//! A batch: what a node sends of one window, whole or as a gap. It stands alone, so that it can be
//! replayed to anyone, and its bytes never change once they are in a spool.

mod epoch;
mod invalid;
mod limits;

use crate::{Table, Timestamp};

pub use epoch::Epoch;
pub use invalid::{Invalid, InvalidKind};
pub use limits::Limits;

/// Version of the wire that this build speaks.
pub const VERSION: u32 = 1;

/// Which batch it is, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Cluster.
    pub cluster: String,
    /// Node.
    pub node: String,
    /// Boot of the kernel whose counters these are.
    pub boot_id: String,
    /// Drawn at every start of the agent.
    pub epoch: Epoch,
    /// 1, 2, 3 ... in that epoch.
    pub seq: u64,
    /// Only with seq 1: the epoch before in the same spool.
    pub previous: Option<Previous>,
    /// Start of the window.
    pub window_start: Timestamp,
    /// End of the window.
    pub window_end: Timestamp,
}

/// The epoch before, and its last seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Which.
    pub epoch: Epoch,
    /// The last seq that was drawn in it.
    pub last: u64,
}

/// Why there are no rows where there should be some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The spool had no room.
    SpoolFull,
    /// The batch was in the spool for too long.
    SpoolAge,
    /// The spool could not be read; what was in it is not known.
    SpoolLost,
    /// No aggregator will ever take the batch.
    Refused,
}

/// Stands in the place of a batch that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The same in words.
    pub message: String,
    /// Rows that went with it, by table.
    pub rows_lost: Counts,
}

/// A number of rows for each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Table::ALL.len()]);

impl std::ops::Index<Table> for Counts {
    type Output = u64;

    fn index(&self, table: Table) -> &u64 {
        &self.0[table as usize]
    }
}

impl std::ops::IndexMut<Table> for Counts {
    fn index_mut(&mut self, table: Table) -> &mut u64 {
        &mut self.0[table as usize]
    }
}

impl Counts {
    /// Of all tables together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// What a batch carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Rows by table; a table without rows is not named. Always one row of `reconcile`.
    Whole(Vec<crate::columns::TableData>),
    /// No rows.
    Gap(Gap),
}

/// A decoded and checked batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Which.
    pub header: Header,
    /// What.
    pub body: Body,
}
