//! What an aggregator does with messages, as far as an agent sees it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use protocol::{
    Ack, Answer, Epoch, Limits, Message, Refusal, RefusalKind, decode, decode_message, encode_ack,
};

use crate::http::testing::{Reply, Seen, reply};

/// A frame that tells which batch it is; gaps are real ones.
pub fn frame(epoch: Epoch, seq: u64) -> Bytes {
    [&epoch.0[..], &seq.to_be_bytes()].concat().into()
}

fn batch(frame: &Bytes) -> (Epoch, u64, bool) {
    match <&[u8; 24]>::try_from(&frame[..]) {
        Ok(bytes) => {
            let epoch = Epoch(bytes[..16].try_into().unwrap());
            let seq = u64::from_be_bytes(bytes[16..].try_into().unwrap());
            (epoch, seq, false)
        }
        Err(_) => {
            let header = decode(frame, &Limits::default()).unwrap().header;
            (header.epoch, header.seq, true)
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Ledger {
    pub instance: u8,
    pub received: BTreeMap<Epoch, u64>,
    pub committed: BTreeMap<Epoch, u64>,
    /// What is received is committed at once.
    pub commits: bool,
    /// It is refused for ever, unless it is a gap.
    pub bad: Option<(Epoch, u64)>,
    /// Gaps that came.
    pub gaps: Vec<(Epoch, u64)>,
    /// Answered before anything else.
    pub script: VecDeque<Reply>,
    /// Batches that came, all of them in their order.
    pub came: Vec<(Epoch, u64)>,
}

pub type Shared = Arc<Mutex<Ledger>>;

impl Ledger {
    pub fn shared() -> Shared {
        Arc::new(Mutex::new(Self {
            instance: 1,
            commits: true,
            ..Self::default()
        }))
    }

    pub fn answer(&mut self, seen: &Seen) -> Reply {
        if let Some(reply) = self.script.pop_front() {
            return reply;
        }
        let message = decode_message(seen.body.clone(), &Limits::default()).unwrap();
        match self.take(&message) {
            Ok(ack) => reply(200, encode_ack(&ack)),
            Err(refusal) => refused(&refusal),
        }
    }

    fn take(&mut self, message: &Message) -> Result<Ack, Refusal> {
        let mut epochs = message.asks.clone();
        let mut expected = BTreeMap::new();
        for (index, frame) in message.batches.iter().enumerate() {
            let (epoch, seq, is_gap) = batch(frame);
            if self.bad == Some((epoch, seq)) && !is_gap {
                return Err(Refusal {
                    index: Some(index),
                    ..refusal(RefusalKind::BadBatch)
                });
            }
            self.came.push((epoch, seq));
            self.gaps.extend(is_gap.then_some((epoch, seq)));
            let committed = self.committed.get(&epoch).copied().unwrap_or_default();
            let received = self.received.entry(epoch).or_insert(committed);
            if seq == *received + 1 {
                *received = seq;
            } else if seq > *received {
                expected.insert(epoch, *received + 1);
            }
            epochs.push(epoch);
        }
        if self.commits {
            self.committed = self.received.clone();
        }
        epochs.sort_unstable();
        epochs.dedup();
        let count = |map: &BTreeMap<Epoch, u64>, epoch| map.get(epoch).copied().unwrap_or_default();
        let answers = epochs.iter().map(|epoch| Answer {
            epoch: *epoch,
            received: count(&self.received, epoch),
            committed: count(&self.committed, epoch),
            expect: expected.get(epoch).copied(),
        });
        Ok(Ack {
            instance: Epoch([self.instance; 16]),
            table_id: "table-1".into(),
            answers: answers.collect(),
        })
    }
}

pub fn refusal(kind: RefusalKind) -> Refusal {
    Refusal {
        kind,
        reason: "because of a test".into(),
        epoch: None,
        seq: None,
        index: None,
    }
}

pub fn refused(refusal: &Refusal) -> Reply {
    reply(refusal.kind.status(), serde_json::to_vec(refusal).unwrap())
}
