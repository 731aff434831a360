//! Which batch of which sender a push becomes: for each node that pushes, an epoch of this process and its
//! seqs. Pure, and bounded: nodes that push no more are forgotten, and begin anew.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use protocol::{Epoch, Timestamp};

/// Nodes that are remembered.
const MOST_NODES: usize = 10_000;
/// After that much silence a node is forgotten.
const IDLE: Duration = Duration::from_secs(3_600);
/// Pushes of a node that are known when they come again.
const MOST_KNOWN: usize = 8;
/// A window begins where the one before ended, unless that is longer ago,
const LONGEST_US: i64 = 600_000_000;
/// or not known: the interval that collectors have by default.
const USUAL_US: i64 = 30_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    nodes: HashMap<Box<str>, Node>,
}

#[derive(Debug)]
struct Node {
    epoch: Epoch,
    /// The last one.
    seq: u64,
    /// Ends of its last windows, the newest push at the end.
    ends: VecDeque<Timestamp>,
    /// When it last pushed.
    seen: Timestamp,
}

/// The batch that a push becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Of its sender.
    pub epoch: Epoch,
    /// In that epoch.
    pub seq: u64,
    /// Start of its window.
    pub window_start: Timestamp,
}

/// What is to be done with a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It was taken before.
    Known,
    /// Take it as this.
    Next(Next),
    /// There are as many nodes as may be.
    Full,
}

impl Senders {
    /// For a window of `node` that ended at `end`. `draw` makes a new epoch.
    pub(crate) fn turn(
        &mut self,
        node: &str,
        end: Timestamp,
        now: Timestamp,
        draw: impl FnOnce() -> Epoch,
    ) -> Turn {
        let Some(known) = self.nodes.get(node).filter(|known| !known.is_idle(now)) else {
            if self.nodes.len() >= MOST_NODES {
                self.nodes.retain(|_, known| !known.is_idle(now));
            }
            return match self.nodes.len() >= MOST_NODES {
                true => Turn::Full,
                false => Turn::Next(Next {
                    epoch: draw(),
                    seq: 1,
                    window_start: end.plus_us(-USUAL_US),
                }),
            };
        };
        if known.ends.contains(&end) {
            return Turn::Known;
        }
        let before = known.ends.iter().filter(|before| **before < end).max();
        let recent = before.filter(|before| before.plus_us(LONGEST_US) >= end);
        Turn::Next(Next {
            epoch: known.epoch,
            seq: known.seq + 1,
            window_start: recent.copied().unwrap_or_else(|| end.plus_us(-USUAL_US)),
        })
    }

    /// It was taken.
    pub(crate) fn took(&mut self, node: &str, next: &Next, end: Timestamp, now: Timestamp) {
        if next.seq == 1 {
            let fresh = Node {
                epoch: next.epoch,
                seq: 0,
                ends: VecDeque::with_capacity(MOST_KNOWN),
                seen: now,
            };
            self.nodes.insert(node.into(), fresh);
        }
        if let Some(known) = self.nodes.get_mut(node) {
            known.seq = next.seq;
            known.seen = now;
            if known.ends.len() == MOST_KNOWN {
                known.ends.pop_front();
            }
            known.ends.push_back(end);
        }
    }

    /// Its next push opens an epoch of its own.
    pub(crate) fn forget(&mut self, node: &str) {
        self.nodes.remove(node);
    }
}

impl Node {
    fn is_idle(&self, now: Timestamp) -> bool {
        let idle = i64::try_from(IDLE.as_micros()).unwrap_or(i64::MAX);
        self.seen.plus_us(idle) < now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp {
            unix_us: 1_700_000_000 * SECOND,
        }
        .plus_us(seconds * SECOND)
    }

    /// A push at its own time, taken if it is new.
    fn push(senders: &mut Senders, node: &str, end: i64, epoch: u8) -> Turn {
        let turn = senders.turn(node, at(end), at(end), || Epoch([epoch; 16]));
        if let Turn::Next(next) = &turn {
            senders.took(node, next, at(end), at(end));
        }
        turn
    }

    fn next(epoch: u8, seq: u64, start: i64) -> Turn {
        Turn::Next(Next {
            epoch: Epoch([epoch; 16]),
            seq,
            window_start: at(start),
        })
    }

    #[test]
    fn windows_follow_each_other() {
        let mut senders = Senders::default();
        assert_eq!(push(&mut senders, "a", 0, 1), next(1, 1, -30));
        assert_eq!(push(&mut senders, "a", 33, 2), next(1, 2, 0));
        assert_eq!(push(&mut senders, "b", 33, 3), next(3, 1, 3));
        assert_eq!(push(&mut senders, "a", 633, 2), next(1, 3, 33));
        assert_eq!(push(&mut senders, "a", 1_234, 2), next(1, 4, 1_204));
        assert_eq!(push(&mut senders, "a", 640, 2), next(1, 5, 633), "late");
        for again in [0, 33, 633, 1_234, 640] {
            assert_eq!(push(&mut senders, "a", again, 2), Turn::Known);
        }
    }

    #[test]
    fn what_was_not_taken_leaves_no_hole() {
        let mut senders = Senders::default();
        let turn = |senders: &mut Senders| senders.turn("a", at(0), at(0), || Epoch([1; 16]));
        assert_eq!(turn(&mut senders), next(1, 1, -30));
        assert_eq!(turn(&mut senders), next(1, 1, -30));
        push(&mut senders, "a", 30, 1);
        let mut turn = |end| senders.turn("a", at(end), at(end), || Epoch([2; 16]));
        assert_eq!(turn(60), next(1, 2, 30));
        assert_eq!(turn(60), next(1, 2, 30));
    }

    #[test]
    fn who_was_silent_begins_anew() {
        let mut senders = Senders::default();
        push(&mut senders, "a", 0, 1);
        assert_eq!(push(&mut senders, "a", 3_600, 2), next(1, 2, 3_570));
        assert_eq!(push(&mut senders, "a", 7_201, 3), next(3, 1, 7_171));
        senders.forget("a");
        assert_eq!(push(&mut senders, "a", 7_202, 4), next(4, 1, 7_172));
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let mut senders = Senders::default();
        for number in 0..MOST_NODES {
            push(&mut senders, &number.to_string(), 0, 1);
        }
        assert_eq!(push(&mut senders, "one more", 0, 1), Turn::Full);
        assert_eq!(push(&mut senders, "7", 30, 1), next(1, 2, 0), "a known one");
        assert_eq!(push(&mut senders, "one more", 3_601, 1), next(1, 1, 3_571));
        assert_eq!(senders.nodes.len(), 2, "the others are forgotten");
    }
}
