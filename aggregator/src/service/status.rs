//! What metrics and probes ask for.

use protocol::Timestamp;

use super::Service;
use crate::{intake::Amount, lake::counters::Counter};

/// What the service has done so far; what the lake has done is in its own counters.
#[derive(Debug, Default)]
pub struct Tally {
    /// Batches that were taken in.
    pub taken: Counter,
    /// Batches that were held or committed before.
    pub known: Counter,
    /// Batches that came before those in between.
    pub ahead: Counter,
    /// Pushes that were taken in.
    pub pushed: Counter,
    /// Pushes that were taken before.
    pub pushed_again: Counter,
    /// Requests that were sent back for want of room.
    pub full: Counter,
    /// Cycles that ended with everything committed.
    pub cycles: Counter,
    /// Cycles that failed for a reason that does not pass by itself.
    pub failures: Counter,
}

/// As it is now.
#[derive(Clone, Debug)]
pub struct Status {
    /// Held, not committed.
    pub held: Amount,
    /// Senders that the ledger knows.
    pub senders: usize,
    /// It is told to stop: nothing is taken in.
    pub is_stopping: bool,
    /// Why nothing is taken in, though it is not stopping.
    pub trouble: Option<String>,
    /// When a cycle last ended well.
    pub last_commit: Option<Timestamp>,
}

impl Service {
    /// As it is now.
    pub fn status(&self) -> Status {
        let senders = self.lake.ledger().marks.len();
        self.with(|state| Status {
            held: state.intake.held(),
            senders,
            is_stopping: state.is_stopping,
            trouble: state.trouble.clone(),
            last_commit: state.last_commit,
        })
    }

    /// What was done so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}
