//! What is held for the next commit, by sender, and the answers that follow from it: `received` and
//! `committed` are computed, never remembered. Pure: no clock, no store.

use std::collections::BTreeMap;

use protocol::{Answer, Epoch};

use crate::held::{Held, Sender};

/// Highest committed seq of each sender: of one table, or (of `reconcile`) of the ledger.
pub type Watermark = BTreeMap<Sender, u64>;

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

/// The leading run of each sender that one commit takes; at most one gap, and then alone, for each.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// Ascending by sender and seq.
    pub batches: Vec<Held>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Intake {}

impl Intake {
    /// Takes a batch, if it is the next of its sender.
    pub fn offer(&mut self, batch: Held) -> Offered {
        let _ = batch;
        unimplemented!()
    }

    /// The ledger's watermark was read: trims what it covers.
    pub fn raise(&mut self, ledger: &Watermark) {
        let _ = ledger;
        unimplemented!()
    }

    /// What the next commit takes; it stays held until the watermark covers it.
    pub fn seal(&self) -> Sealed {
        unimplemented!()
    }

    /// How far this aggregator is with a sender.
    pub fn answer(&self, node: &str, epoch: Epoch) -> Answer {
        let _ = (node, epoch);
        unimplemented!()
    }
}
