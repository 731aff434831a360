//! What goes into the machine and what comes out of it.

use std::time::Duration;

use bytes::Bytes;
use protocol::{Epoch, Message, RefusalKind};

use crate::spool::{Spool, SpoolError, Waiting};

/// What the machine needs of a spool.
pub trait Queue {
    /// Why it can't be read.
    type Error;

    /// Epochs with waiting batches, oldest first.
    fn waiting(&self) -> Vec<Waiting>;

    /// Batches of one epoch from `seq` on, until `bytes` are reached; at least one if it waits.
    fn read(&self, epoch: Epoch, seq: u64, bytes: usize) -> Result<Vec<(u64, Bytes)>, Self::Error>;

    /// Id of the ledger table that was seen first; `seen` is kept if there was none.
    fn table_id(&mut self, seen: &str) -> Result<String, Self::Error>;
}

impl Queue for Spool {
    type Error = SpoolError;

    fn waiting(&self) -> Vec<Waiting> {
        Self::waiting(self)
    }

    fn read(&self, epoch: Epoch, seq: u64, bytes: usize) -> Result<Vec<(u64, Bytes)>, SpoolError> {
        Self::read(self, epoch, seq, bytes)
    }

    fn table_id(&mut self, seen: &str) -> Result<String, SpoolError> {
        Self::table_id(self, seen)
    }
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this, and report what came of it.
    Send(Outgoing),
    /// Nothing before that time, unless something new is in the queue.
    WaitUntil(Duration),
    /// Nothing until something new is in the queue, or what was sent is answered.
    Idle,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Batches of one epoch in the order of their seqs; none where only something is asked.
    pub batches: Vec<Part>,
    /// Other epochs whose position is asked for.
    pub asks: Vec<Epoch>,
}

/// A batch to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its seq.
    pub seq: u64,
    /// Its bytes.
    pub frame: Bytes,
}

impl Outgoing {
    /// As it is encoded.
    pub fn message(&self, node: &str) -> Message {
        Message {
            node: node.to_owned(),
            batches: self.batches.iter().map(|part| part.frame.clone()).collect(),
            asks: self.asks.clone(),
        }
    }

    /// Of all frames.
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(|part| part.frame.len()).sum()
    }
}

/// What an answer leads to. An effect that fails may be left out: the next answer leads to it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// All of the epoch up to and with that seq is in the tables.
    Delete {
        /// Which epoch.
        epoch: Epoch,
        /// The last seq to be deleted.
        up_to: u64,
    },
    /// A gap must take the batch's place: nobody will ever take the batch.
    GiveUp {
        /// Which epoch.
        epoch: Epoch,
        /// Which batch.
        seq: u64,
        /// Why.
        message: String,
    },
    /// Something is wrong that people must mend.
    Tell(Trouble),
}

/// What people must mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The aggregator writes to another table than before.
    #[error(
        "the aggregator writes to the table {seen}, but this spool belongs to {first}: nothing is deleted from it. \
         Point the aggregator to the former table, or, if the former is gone, move the spool file away"
    )]
    OtherTable {
        /// The one that was seen first.
        first: String,
        /// The one of this answer.
        seen: String,
    },
    /// The aggregator names no table.
    #[error(
        "the aggregator names no table in its answer: nothing is deleted; is this an aggregator?"
    )]
    NoTable,
    /// What the aggregator needs is gone, because a table had it.
    #[error(
        "the aggregator needs batch {expect} of epoch {epoch}, which a table has had and which the spool therefore \
         no longer holds (it begins with {first}): was the table reconcile set back or replaced?"
    )]
    NeedsDeleted {
        /// Which epoch.
        epoch: Epoch,
        /// What it needs.
        expect: u64,
        /// What there is.
        first: u64,
    },
    /// A batch was refused a second time, though a gap should have taken its place.
    #[error(
        "batch {seq} of epoch {epoch} was refused for ever, and so was the gap in its place: {reason}. Compare the \
         versions and the clocks of the agent and the aggregator"
    )]
    GapRefused {
        /// Which epoch.
        epoch: Epoch,
        /// Which batch.
        seq: u64,
        /// The aggregator's words.
        reason: String,
    },
    /// A refusal for ever that names no batch of the message.
    #[error(
        "the aggregator refused a batch for ever ({kind:?}), but named none of those that were sent: {reason}"
    )]
    NotNamed {
        /// What kind of refusal.
        kind: RefusalKind,
        /// The aggregator's words.
        reason: String,
    },
}

impl Trouble {
    /// The kind under which it is counted.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OtherTable { .. } => "other_table",
            Self::NoTable => "no_table",
            Self::NeedsDeleted { .. } => "needs_deleted",
            Self::GapRefused { .. } => "gap_refused",
            Self::NotNamed { .. } => "not_named",
        }
    }
}
