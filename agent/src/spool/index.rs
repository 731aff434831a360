//! What waits, in memory: asked for with every answer, and far smaller than the batches themselves
//! (16 bytes each, so a week of gaps takes some 300 kB).

use std::collections::VecDeque;

use protocol::Epoch;

use super::{Waiting, head::Head};

/// One batch that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// End of its window.
    pub(super) end_us: i64,
    /// Of its frame.
    pub(super) bytes: u32,
    /// It is a gap.
    pub(super) gap: bool,
}

impl From<&Head> for Item {
    fn from(head: &Head) -> Self {
        Self {
            end_us: head.end_us,
            bytes: head.bytes,
            gap: head.gap,
        }
    }
}

/// The batches of one epoch that wait, without a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Its number: later epochs have higher ones.
    pub(super) ordinal: u64,
    /// Which.
    pub(super) epoch: Epoch,
    /// Seq of the first item.
    pub(super) first: u64,
    /// One for each seq.
    pub(super) items: VecDeque<Item>,
}

impl Run {
    /// Its batches with their seq.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Item)> {
        (self.first..).zip(&self.items)
    }

    /// Those from `seq` on.
    pub(super) fn from(&self, seq: u64) -> impl Iterator<Item = (u64, &Item)> {
        let seq = seq.max(self.first);
        let skipped = usize::try_from(seq - self.first).unwrap_or(usize::MAX);
        let skipped = skipped.min(self.items.len());
        (seq..).zip(self.items.range(skipped..))
    }

    /// Seq of the last item.
    pub(super) fn last(&self) -> u64 {
        (self.first + self.items.len() as u64).saturating_sub(1)
    }
}

/// All that wait, oldest epoch first.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    runs: Vec<Run>,
    /// Of all frames.
    bytes: u64,
    gaps: u64,
}

impl Index {
    /// Puts a batch behind those that wait. False if it would leave a hole.
    pub(super) fn push(&mut self, ordinal: u64, epoch: Epoch, seq: u64, item: Item) -> bool {
        match self.runs.last_mut() {
            Some(run) if run.ordinal == ordinal => {
                if seq != run.last() + 1 {
                    return false;
                }
                run.items.push_back(item);
            }
            Some(run) if run.ordinal > ordinal => return false,
            _ => self.runs.push(Run {
                ordinal,
                epoch,
                first: seq,
                items: VecDeque::from([item]),
            }),
        }
        self.bytes += u64::from(item.bytes);
        self.gaps += u64::from(item.gap);
        true
    }

    /// Another item stands in the place of one that waits.
    pub(super) fn replace(&mut self, ordinal: u64, seq: u64, item: Item) {
        let Some(run) = self.runs.iter_mut().find(|run| run.ordinal == ordinal) else {
            return;
        };
        let at = seq
            .checked_sub(run.first)
            .and_then(|at| usize::try_from(at).ok());
        let Some(old) = at.and_then(|at| run.items.get_mut(at)) else {
            return;
        };
        self.bytes = self.bytes - u64::from(old.bytes) + u64::from(item.bytes);
        self.gaps = self.gaps - u64::from(old.gap) + u64::from(item.gap);
        *old = item;
    }

    /// Forgets a run's batches up to `seq`. True if there were any.
    pub(super) fn remove(&mut self, ordinal: u64, seq: u64) -> bool {
        let Some(run) = self.runs.iter_mut().find(|run| run.ordinal == ordinal) else {
            return false;
        };
        let mut any = false;
        while run.first <= seq {
            let Some(item) = run.items.pop_front() else {
                break;
            };
            run.first += 1;
            self.bytes -= u64::from(item.bytes);
            self.gaps -= u64::from(item.gap);
            any = true;
        }
        self.runs.retain(|run| !run.items.is_empty());
        any
    }

    /// Runs, oldest first; none is empty.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The run of that epoch.
    pub(super) fn of(&self, epoch: Epoch) -> Option<&Run> {
        self.runs.iter().find(|run| run.epoch == epoch)
    }

    /// Every batch with its run, in the order in which they are sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Run, u64, &Item)> {
        let all = |run| Run::iter(run).map(move |(seq, item)| (run, seq, item));
        self.runs.iter().flat_map(all)
    }

    /// As others see it.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let waiting = |run: &Run| Waiting {
            epoch: run.epoch,
            first: run.first,
            last: run.last(),
        };
        self.runs.iter().map(waiting).collect()
    }

    /// Of all frames.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them are gaps.
    pub(super) fn gaps(&self) -> u64 {
        self.gaps
    }

    /// How many wait.
    pub(super) fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.items.len() as u64).sum()
    }
}
