//! What the first batch of each epoch says of the epoch before: a reader finds there what is missing.

use protocol::Epoch;

use super::{Judge, show};
use crate::chaos::truth::Node;

impl Judge {
    /// Each epoch names the one before it that had batches, unless a spool was lost in between; and
    /// that one is in the ledger up to the seq that is named.
    pub(super) fn chain(&self, name: &str, known: &Node) {
        let epochs = self.epochs(name);
        let mut before: Option<(usize, &Epoch)> = None;
        for (place, epoch) in known.epochs.iter().enumerate() {
            let text = epoch.to_string();
            let first = epochs.get(text.as_str()).map(|(key, _)| *key);
            let row = first.and_then(|key| self.ledger().rows.get(key));
            let told = row.and_then(|row| row.ledger.as_ref());
            let had_batches = known.kept.keys().chain(known.vanished.keys());
            if !had_batches.clone().any(|name| name.epoch == *epoch) {
                continue;
            }
            if let (Some(key), Some(told)) = (first, told) {
                let from = before.map_or(0, |(place, _)| place + 1);
                let was_lost = known
                    .losses
                    .iter()
                    .any(|loss| (from..=place).contains(&loss.epochs));
                let expected = before
                    .filter(|_| !was_lost)
                    .map(|(_, epoch)| epoch.to_string());
                let previous = told.previous.as_ref().map(|(epoch, _)| epoch.clone());
                if previous != expected {
                    let key = show(key);
                    self.world.problem(format!(
                        "{key} names {previous:?} as the epoch before, not {expected:?}"
                    ));
                }
                if let Some((epoch, last)) = &told.previous {
                    let highest = epochs
                        .get(epoch.as_str())
                        .map_or(0, |(_, highest)| *highest);
                    let is_vanished = known
                        .vanished
                        .keys()
                        .any(|name| name.epoch.to_string() == *epoch);
                    if highest > *last || (highest < *last && !is_vanished) {
                        let key = show(key);
                        self.world.problem(format!(
                            "{key} names {last} as the last of {epoch}, the ledger has {highest}"
                        ));
                    }
                }
            }
            before = Some((place, epoch));
        }
    }
}
