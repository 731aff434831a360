//! The durable queue of batches: what was counted is in it, with the baselines that follow from it,
//! before anything of it is sent, and leaves it only when a table has it.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use protocol::{Counts, Epoch, GapReason, Header, Previous, Timestamp};

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

/// Why something can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file failed so that it can't be used any more. What was in it is lost, and a new epoch begins.
    #[error("the spool is lost; it lies at {aside} now: {reason}")]
    Lost {
        /// Where it lies now.
        aside: PathBuf,
        /// What failed.
        reason: String,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Spool {}

impl Spool {
    /// Opens or makes the file. One that can't be read is moved aside.
    pub fn open(settings: Settings) -> Result<(Self, Found), SpoolError> {
        let _ = settings;
        unimplemented!()
    }

    /// A new start of the agent. Writes nothing, but where the spool was lost: then seq 1 of the epoch is
    /// a gap that says so.
    pub fn begin(&mut self, like: &Header) -> Result<Beginning, SpoolError> {
        let _ = like;
        unimplemented!()
    }

    /// What [`Spool::keep`] stored last as state.
    pub fn state(&self) -> Result<Option<Vec<u8>>, SpoolError> {
        unimplemented!()
    }

    /// Keeps batches and the state that follows from them in one transaction, on disk when it returns.
    /// Where it fails nothing changed, and the same can be tried again.
    pub fn keep(&mut self, entries: &[Entry], state: Option<&[u8]>) -> Result<(), SpoolError> {
        let _ = (entries, state);
        unimplemented!()
    }

    /// Epochs with waiting batches, oldest first.
    pub fn waiting(&self) -> Vec<Waiting> {
        unimplemented!()
    }

    /// Batches of one epoch from `seq` on, until `bytes` are reached; at least one if it waits.
    pub fn read(
        &self,
        epoch: Epoch,
        seq: u64,
        bytes: usize,
    ) -> Result<Vec<(u64, Bytes)>, SpoolError> {
        let _ = (epoch, seq, bytes);
        unimplemented!()
    }

    /// An aggregator has committed that epoch up to `seq`.
    pub fn committed(&mut self, epoch: Epoch, seq: u64) -> Result<(), SpoolError> {
        let _ = (epoch, seq);
        unimplemented!()
    }

    /// A gap takes the batch's place.
    pub fn give_up(
        &mut self,
        epoch: Epoch,
        seq: u64,
        reason: GapReason,
        message: &str,
    ) -> Result<(), SpoolError> {
        let _ = (epoch, seq, reason, message);
        unimplemented!()
    }

    /// Gaps take the place of batches that wait for too long.
    pub fn expire(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        let _ = now;
        unimplemented!()
    }

    /// Id of the ledger table that was seen first; `seen` is kept if there was none.
    pub fn table_id(&mut self, seen: &str) -> Result<String, SpoolError> {
        let _ = seen;
        unimplemented!()
    }

    /// Bytes of the frames that wait.
    pub fn bytes(&self) -> u64 {
        unimplemented!()
    }
}
