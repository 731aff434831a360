//! The durable queue of batches: what was counted is in it, with the baselines that follow from it,
//! before anything of it is sent, and leaves it only when a table has it.
//!
//! It is a database (`file`, `rows`) on blocks with checksums (`sealed`) in a place that can be
//! replaced as a whole (`place`, `files`). What waits is also known in memory (`index`).

mod contents;
mod error;
mod faults;
mod file;
mod files;
mod gaps;
mod head;
mod index;
mod keep;
mod meters;
mod open;
mod place;
mod read;
mod rows;
mod sealed;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use protocol::{Counts, Epoch, Header, Previous};

use contents::{Contents, Last};
use faults::Fault;
use file::File;
use index::Index;

pub use error::SpoolError;
pub use meters::{Gaps, Meters};
pub use place::{Bytes as PlaceBytes, Place};

/// Where it is and how much it may hold.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub file: PathBuf,
    /// Frames that may wait, in bytes; the file is somewhat larger.
    pub max_bytes: u64,
    /// Time that a batch may wait.
    pub max_age: Duration,
}

/// How much a spool may hold, wherever it lies.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// As in [`Settings`].
    pub max_bytes: u64,
    /// As in [`Settings`].
    pub max_age: Duration,
}

/// What was found at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No file was there.
    Nothing,
    /// An earlier agent's.
    Resumed,
    /// One that can't be read; it lies at `aside` now.
    Lost {
        /// Where it lies now.
        aside: PathBuf,
        /// Why it can't be read.
        reason: String,
    },
}

/// A batch to be kept.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which.
    pub header: Header,
    /// Rows by table: a gap in its place tells them.
    pub rows: Counts,
    /// The encoded batch.
    pub frame: Bytes,
}

/// One epoch with batches that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub epoch: Epoch,
    /// Lowest seq that waits.
    pub first: u64,
    /// Highest.
    pub last: u64,
}

/// What an epoch begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Seq of its next batch: 1, or 2 where a gap tells of a lost spool.
    pub next_seq: u64,
    /// To be named by the batch with seq 1.
    pub previous: Option<Previous>,
}

/// See the module.
#[derive(Debug)]
pub struct Spool {
    place: Box<dyn Place>,
    bounds: Bounds,
    /// None while it can't be opened.
    file: Option<File>,
    /// Why what is in use must be put aside, until that has been done.
    unusable: Option<String>,
    /// What was lost and is told by no gap yet.
    lost: Option<Lost>,
    /// The batch that was drawn last.
    last: Option<Last>,
    /// Id of the ledger table that was seen first.
    table_id: Option<String>,
    index: Index,
    /// Deleted by ordinal up to a seq, but still in the file: the next transactions take them out.
    deleted: Vec<(u64, u64)>,
    /// The place holds its reserve.
    reserved: bool,
    gaps: Gaps,
    lost_spools: u64,
    failed_writes: u64,
}

/// A spool that was lost.
#[derive(Clone, Debug)]
struct Lost {
    /// Where it lies; empty if an earlier agent lost it.
    aside: PathBuf,
    reason: String,
}

impl Spool {
    /// Epochs with waiting batches, oldest first.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.index.waiting()
    }

    /// Bytes of the frames that wait.
    pub fn bytes(&self) -> u64 {
        self.index.bytes()
    }

    /// An aggregator has committed that epoch up to `seq`. They are gone at once here, and from the
    /// file with the next transaction: should the agent be killed before that, they are sent once
    /// more, and no harm is done.
    pub fn committed(&mut self, epoch: Epoch, seq: u64) -> Result<(), SpoolError> {
        let Some(run) = self.index.of(epoch) else {
            return Ok(());
        };
        let (ordinal, seq) = (run.ordinal, seq.min(run.last()));
        if self.index.remove(ordinal, seq) {
            self.deleted.retain(|(other, _)| *other != ordinal);
            self.deleted.push((ordinal, seq));
        }
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // An orderly end: what is committed is not sent again after the start.
        if !self.deleted.is_empty()
            && self.unusable.is_none()
            && let Err(fault) = self.sweep(keep::DELETIONS)
        {
            log::debug!("what is committed stays in the spool and is sent again: {fault:?}");
        }
    }
}
