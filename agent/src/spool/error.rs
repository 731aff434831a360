//! Why something can't be kept.

use std::{io, path::PathBuf};

use protocol::Epoch;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Two agents on one node would count everything twice.
    #[error("another agent uses the spool; stop it, or give this one another directory")]
    InUse,
    /// The place can't be used: no directory, no permission.
    #[error("can't use the spool's place: {0}")]
    Place(#[source] io::Error),
    /// Nothing of it was kept; it may be tried again.
    #[error("can't write the spool, nothing was changed: {0}; make room on its disk")]
    Write(String),
    /// Nothing of what was asked for could be read. What follows for the spool shows with the next
    /// [`Spool::keep`](super::Spool::keep).
    #[error("can't read the spool: {0}")]
    Read(String),
    /// What was in the spool is gone, and so is the epoch: draw a new one and begin again.
    #[error("the spool was lost ({reason}); it lies at {aside} now, and a new epoch begins")]
    Lost {
        /// Where it lies now.
        aside: PathBuf,
        /// Why.
        reason: String,
    },
    /// A batch that would leave a hole, or stand where another stands.
    #[error("batch {seq} of epoch {epoch} can't be kept: the next one there is {next}")]
    Order {
        /// Its epoch.
        epoch: Epoch,
        /// Its seq.
        seq: u64,
        /// The one that may be kept.
        next: u64,
    },
    /// Nothing is left that could make room.
    #[error(
        "{gaps} gaps wait in the spool, and no more may; find out why no aggregator takes them"
    )]
    Full {
        /// How many.
        gaps: u64,
    },
}
