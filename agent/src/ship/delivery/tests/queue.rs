//! A spool without a disk.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use protocol::{Ack, Answer, Epoch};

use super::super::{Action, Effect, Outgoing, Queue};
use crate::spool::Waiting;

pub const TABLE: &str = "table-1";

pub fn epoch(number: u8) -> Epoch {
    Epoch([number; 16])
}

pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Epochs with their first and last seq.
#[derive(Clone, Debug, Default)]
pub struct Fake {
    pub waiting: Vec<Waiting>,
    pub frame_bytes: usize,
    pub table: Option<String>,
    pub given_up: Vec<(Epoch, u64)>,
}

impl Fake {
    pub fn of(epochs: &[(u8, u64, u64)]) -> Self {
        let waiting = |(number, first, last): &(u8, u64, u64)| Waiting {
            epoch: epoch(*number),
            first: *first,
            last: *last,
        };
        Self {
            waiting: epochs.iter().map(waiting).collect(),
            frame_bytes: 1_000,
            table: Some(TABLE.into()),
            given_up: Vec::new(),
        }
    }

    pub fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Delete { epoch, up_to } => {
                    for one in self.waiting.iter_mut().filter(|one| one.epoch == *epoch) {
                        one.first = one.first.max(up_to + 1);
                    }
                    self.waiting.retain(|one| one.first <= one.last);
                }
                Effect::GiveUp { epoch, seq, .. } => self.given_up.push((*epoch, *seq)),
                Effect::Tell(_) => {}
            }
        }
    }
}

impl Queue for Fake {
    type Error = Infallible;

    fn waiting(&self) -> Vec<Waiting> {
        self.waiting.clone()
    }

    fn read(&self, epoch: Epoch, seq: u64, bytes: usize) -> Result<Vec<(u64, Bytes)>, Infallible> {
        let found = self.waiting.iter().find(|one| one.epoch == epoch);
        let seqs = found
            .into_iter()
            .flat_map(|one| seq.max(one.first)..=one.last);
        let frame = Bytes::from(vec![0; self.frame_bytes]);
        let count = (bytes / self.frame_bytes).max(1);
        Ok(seqs.take(count).map(|seq| (seq, frame.clone())).collect())
    }

    fn table_id(&mut self, seen: &str) -> Result<String, Infallible> {
        Ok(self.table.get_or_insert_with(|| seen.to_owned()).clone())
    }
}

/// An answer of the instance with that number; epochs with received and committed.
pub fn ack(instance: u8, answers: &[(u8, u64, u64)]) -> Ack {
    let answer = |(number, received, committed): &(u8, u64, u64)| Answer {
        epoch: epoch(*number),
        received: *received,
        committed: *committed,
        expect: None,
    };
    Ack {
        instance: epoch(instance),
        table_id: TABLE.into(),
        answers: answers.iter().map(answer).collect(),
    }
}

/// The message, or a failed test.
pub fn sent(action: Action) -> Outgoing {
    match action {
        Action::Send(outgoing) => outgoing,
        other => panic!("nothing is sent, but {other:?}"),
    }
}

/// The epoch and seqs of a message.
pub fn seqs(outgoing: &Outgoing) -> Vec<(Epoch, u64)> {
    let batches = outgoing.batches.iter();
    batches.map(|part| (part.epoch, part.seq)).collect()
}
