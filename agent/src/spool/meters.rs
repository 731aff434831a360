//! What a spool tells about itself.

use protocol::{GapReason, Timestamp};

use super::Spool;

/// Gaps that took a batch's place since the start, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// There was no room.
    pub full: u64,
    /// It waited for too long.
    pub age: u64,
    /// It was lost with its spool, or alone.
    pub lost: u64,
    /// No aggregator takes it.
    pub refused: u64,
}

impl Gaps {
    /// One more.
    pub(super) fn count(&mut self, reason: GapReason) {
        let counter = match reason {
            GapReason::SpoolFull => &mut self.full,
            GapReason::SpoolAge => &mut self.age,
            GapReason::SpoolLost => &mut self.lost,
            GapReason::Refused => &mut self.refused,
        };
        *counter += 1;
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meters {
    /// Batches that wait, gaps among them.
    pub batches: u64,
    /// Of their frames.
    pub bytes: u64,
    /// Gaps that wait.
    pub gaps_waiting: u64,
    /// End of the oldest window that waits.
    pub oldest: Option<Timestamp>,
    /// Since the start.
    pub gaps: Gaps,
    /// Spools that were put aside since the start.
    pub lost_spools: u64,
    /// Writes that failed since the start.
    pub failed_writes: u64,
}

impl Spool {
    /// What it tells about itself.
    pub fn meters(&self) -> Meters {
        let first = self.index.iter().next();
        Meters {
            batches: self.index.len(),
            bytes: self.index.bytes(),
            gaps_waiting: self.index.gaps(),
            oldest: first.map(|(_, _, item)| Timestamp {
                unix_us: item.end_us,
            }),
            gaps: self.gaps,
            lost_spools: self.lost_spools,
            failed_writes: self.failed_writes,
        }
    }
}
