//! What is held for the next commit, by sender, and the answers that follow from it: `received` and
//! `committed` are computed, never remembered. Pure: no clock, no store.

mod seal;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use protocol::{Answer, Epoch, Timestamp};

use crate::held::{Held, Sender};

pub use seal::Sealed;

/// How far a table is with one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The highest committed seq.
    pub seq: u64,
    /// The latest end of a committed window, or the time of its last gap: tells whether the sender is
    /// gone for good.
    pub window_end: Timestamp,
}

/// How far a table is with each sender: one of the data tables, or (of `reconcile`) the ledger.
pub type Watermark = BTreeMap<Sender, Mark>;

/// The ledger's watermark, and the version of its log that it was read from: an older one that comes
/// late must not lower what is known.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Version of the log.
    pub version: u64,
    /// The watermark there.
    pub marks: Arc<Watermark>,
}

impl Ledger {
    /// The highest committed seq of a sender, 0 if there is none.
    pub fn seq(&self, sender: &Sender) -> u64 {
        self.marks.get(sender).map_or(0, |mark| mark.seq)
    }
}

/// What became of a batch that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Held now.
    Taken,
    /// Held or committed before.
    Known,
    /// Beyond what is held: reload the ledger, raise the watermark, and offer it once more; if this
    /// comes again, refuse it (an unknown epoch) or answer what is expected.
    Ahead,
    /// There is no room: refuse the request, busy.
    Full,
}

/// How much is held, or may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Batches.
    pub batches: usize,
    /// Bytes of memory, roughly.
    pub bytes: usize,
    /// Rows, all tables together.
    pub rows: u64,
}

/// What a batch costs beside its frame: its own fields and its place in a buffer.
const OVERHEAD: usize = 256;

impl Amount {
    fn of(batch: &Held) -> Self {
        Self {
            batches: 1,
            bytes: batch.frame.len() + OVERHEAD,
            rows: batch.rows.total(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            batches: self.batches + other.batches,
            bytes: self.bytes + other.bytes,
            rows: self.rows.saturating_add(other.rows),
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            batches: self.batches.saturating_sub(other.batches),
            bytes: self.bytes.saturating_sub(other.bytes),
            rows: self.rows.saturating_sub(other.rows),
        }
    }

    fn fits(self, limit: Self) -> bool {
        self.batches <= limit.batches && self.bytes <= limit.bytes && self.rows <= limit.rows
    }
}

/// Bounds of what is held.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of everything.
    pub held: Amount,
    /// Of what one commit takes: it is decoded for writing, which takes some ten times the memory.
    pub sealed: Amount,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            held: Amount {
                batches: 50_000,
                bytes: 96 << 20,
                rows: u64::MAX,
            },
            sealed: Amount {
                batches: 20_000,
                bytes: 48 << 20,
                rows: 2_000_000,
            },
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Intake {
    bounds: Bounds,
    ledger: Ledger,
    /// Consecutive batches; the first follows what the ledger has. None is empty.
    buffers: BTreeMap<Sender, VecDeque<Held>>,
    held: Amount,
    /// Where the next seal begins, so that no sender waits for ever behind those of lesser names.
    turn: Option<Sender>,
}

impl Intake {
    /// Holds nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// Takes a batch, if it is the next of its sender.
    pub fn offer(&mut self, batch: Held) -> Offered {
        let received = self.received(&batch.sender);
        if batch.seq <= received {
            return Offered::Known;
        }
        if batch.seq > received + 1 {
            return Offered::Ahead;
        }
        let held = self.held.plus(Amount::of(&batch));
        if !held.fits(self.bounds.held) {
            return Offered::Full;
        }
        self.held = held;
        let buffer = self.buffers.entry(batch.sender.clone()).or_default();
        buffer.push_back(batch);
        Offered::Taken
    }

    /// The ledger's watermark was read: trims what it covers. One of an older version is ignored.
    pub fn raise(&mut self, ledger: &Ledger) {
        if ledger.version < self.ledger.version {
            return;
        }
        self.ledger = ledger.clone();
        let held = &mut self.held;
        self.buffers.retain(|sender, buffer| {
            let committed = ledger.seq(sender);
            while let Some(first) = buffer.pop_front_if(|first| first.seq <= committed) {
                *held = held.less(Amount::of(&first));
            }
            !buffer.is_empty()
        });
    }

    /// Some batch of this sender is held or committed: batches beyond its first may follow.
    pub fn knows(&self, sender: &Sender) -> bool {
        self.buffers.contains_key(sender) || self.ledger.marks.contains_key(sender)
    }

    /// How far this aggregator is with a sender.
    pub fn answer(&self, node: &str, epoch: Epoch) -> Answer {
        let sender = Sender {
            node: node.into(),
            epoch,
        };
        Answer {
            epoch,
            received: self.received(&sender),
            committed: self.ledger.seq(&sender),
            expect: None,
        }
    }

    /// How much is held.
    pub fn held(&self) -> Amount {
        self.held
    }

    fn received(&self, sender: &Sender) -> u64 {
        let last = self.buffers.get(sender).and_then(VecDeque::back);
        last.map_or_else(|| self.ledger.seq(sender), |batch| batch.seq)
    }
}
