//! What the next commit takes.

use std::{collections::VecDeque, ops::Bound};

use super::{Amount, Intake};
use crate::held::{Held, Sender};

/// The leading run of each sender that one commit takes; at most one gap, and then alone, for each.
///
/// A gap is a barrier, because another aggregator may hold the whole batch in whose place it stands:
/// a commit that raised a data table's watermark over the gap would make that other's rows vanish,
/// while its ledger entry might still win.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// Ascending by seq within each sender; a sender's batches stand together.
    pub batches: Vec<Held>,
}

impl Intake {
    /// What the next commit takes; it stays held until the watermark covers it.
    pub fn seal(&mut self) -> Sealed {
        let (sealed, is_all) = self.take_in_turn();
        let last = sealed.batches.last();
        self.turn = last.filter(|_| !is_all).map(|last| last.sender.clone());
        sealed
    }

    /// What fits in one commit, and whether that is all.
    fn take_in_turn(&self) -> (Sealed, bool) {
        let mut sealed = Sealed::default();
        let mut amount = Amount::default();
        for batch in self.in_turn().flat_map(leading_run) {
            let more = amount.plus(Amount::of(batch));
            if !more.fits(self.bounds.sealed) && !sealed.batches.is_empty() {
                return (sealed, false);
            }
            amount = more;
            sealed.batches.push(batch.clone());
        }
        (sealed, true)
    }

    /// The buffers, beginning after the sender that the last seal ended with.
    fn in_turn(&self) -> impl Iterator<Item = &VecDeque<Held>> {
        let (after, until) = match &self.turn {
            Some(turn) => (Bound::Excluded(turn), Bound::Included(turn)),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let rest = self
            .turn
            .iter()
            .flat_map(move |_| self.buffers.range::<Sender, _>((Bound::Unbounded, until)));
        self.buffers
            .range::<Sender, _>((after, Bound::Unbounded))
            .chain(rest)
            .map(|(_, buffer)| buffer)
    }
}

fn leading_run(buffer: &VecDeque<Held>) -> impl Iterator<Item = &Held> {
    let whole = buffer
        .iter()
        .take_while(|batch| batch.gap.is_none())
        .count();
    buffer.iter().take(whole.max(1))
}
