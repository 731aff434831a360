//! Decides what is sent next and what may be deleted: the agent's half of the protocol. It is pure:
//! time and answers come in as values, actions and effects go out as values, so that tests and
//! simulations drive the very code that runs on a node.
//!
//! Whoever drives it calls [`Delivery::next`] whenever something may have changed, does what it says,
//! and reports what came of each sent message with exactly one of [`Delivery::on_answer`],
//! [`Delivery::on_refusal`], [`Delivery::on_failure`].

mod answer;
mod message;
mod pace;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use protocol::Epoch;

use crate::spool::Waiting;

pub use message::{Action, Effect, Outgoing, Part, Queue, Trouble};
pub use pace::Pace;

use pace::Clockwork;

/// How far the aggregator at the other end of the connection is, as far as it told.
#[derive(Clone, Debug, Default)]
struct Peer {
    instance: Option<Epoch>,
    /// The newest `received` of each epoch that waits.
    received: BTreeMap<Epoch, u64>,
}

/// The message that is on its way.
#[derive(Clone, Debug)]
struct InFlight {
    batches: Vec<(Epoch, u64)>,
    bytes: usize,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Delivery {
    clockwork: Clockwork,
    peer: Peer,
    in_flight: Option<InFlight>,
    most_bytes: usize,
    most_batches: usize,
    /// Batches that were refused for ever. The gaps in their places must not be refused at full speed.
    refused: BTreeSet<(Epoch, u64)>,
    /// Answers in a row that showed none of the sent batches as received.
    stalls: u32,
}

impl Delivery {
    /// Nothing is known of any aggregator yet. Equal seeds give equal waits.
    pub fn new(pace: Pace, seed: u64) -> Self {
        Self {
            most_bytes: pace.message_bytes,
            most_batches: pace.message_batches,
            clockwork: Clockwork::new(pace, seed),
            peer: Peer::default(),
            in_flight: None,
            refused: BTreeSet::new(),
            stalls: 0,
        }
    }

    /// What to do now. `now` is the time since any instant that stays the same. A queue that can't be
    /// read is asked again after a wait.
    pub fn next<Q: Queue>(&mut self, now: Duration, queue: &Q) -> Result<Action, Q::Error> {
        if self.in_flight.is_some() {
            return Ok(Action::Idle);
        }
        if now < self.clockwork.not_before() {
            return Ok(Action::WaitUntil(self.clockwork.not_before()));
        }
        let waiting = queue.waiting();
        self.forget_all_but(&waiting);
        let batches = match self.batches(&waiting, queue) {
            Ok(batches) => batches,
            Err(error) => {
                self.clockwork.back_off(now, None);
                return Err(error);
            }
        };
        if batches.is_empty() && waiting.is_empty() {
            return Ok(Action::Idle);
        }
        if batches.is_empty() && now < self.clockwork.ask_at() {
            return Ok(Action::WaitUntil(self.clockwork.ask_at()));
        }
        let asks = self.asks(&waiting, batches.first().map(|part| part.epoch));
        self.in_flight = Some(InFlight {
            batches: batches.iter().map(|part| (part.epoch, part.seq)).collect(),
            bytes: batches.iter().map(|part| part.frame.len()).sum(),
        });
        Ok(Action::Send(Outgoing { batches, asks }))
    }

    /// The connection is gone: the next one may lead to another aggregator. A message that was on its
    /// way got no answer.
    pub fn on_disconnect(&mut self) {
        self.peer.received.clear();
        self.in_flight = None;
    }

    /// No answer came, or none that can be read. `retry_after` is what it asked for all the same.
    pub fn on_failure(&mut self, now: Duration, retry_after: Option<Duration>) {
        self.in_flight = None;
        self.clockwork.back_off(now, retry_after);
    }

    /// Nobody waits for the answer to the message that was on its way any more. It may be sent again at
    /// once.
    pub fn abandon(&mut self) {
        self.in_flight = None;
    }

    /// Waits no longer for the next try: the process is about to end.
    pub fn hurry(&mut self) {
        self.clockwork.hurry();
    }

    /// Whether batches wait that the aggregator has not told to have received.
    pub fn has_unreceived(&self, waiting: &[Waiting]) -> bool {
        waiting.iter().any(|one| self.next_seq(one) <= one.last)
    }

    /// Of the aggregator that answered last.
    pub fn instance(&self) -> Option<Epoch> {
        self.peer.instance
    }

    fn forget_all_but(&mut self, waiting: &[Waiting]) {
        let first = |epoch: &Epoch| {
            let found = waiting.iter().find(|one| one.epoch == *epoch);
            found.map(|one| one.first)
        };
        self.peer.received.retain(|epoch, _| first(epoch).is_some());
        self.refused
            .retain(|(epoch, seq)| first(epoch).is_some_and(|first| first <= *seq));
    }

    fn next_seq(&self, waiting: &Waiting) -> u64 {
        let received = self.peer.received.get(&waiting.epoch).copied();
        received.map_or(waiting.first, |received| {
            received.saturating_add(1).max(waiting.first)
        })
    }

    /// The next batches of the oldest epoch that was not received as a whole.
    fn batches<Q: Queue>(&self, waiting: &[Waiting], queue: &Q) -> Result<Vec<Part>, Q::Error> {
        for one in waiting {
            let next = self.next_seq(one);
            if next > one.last {
                continue;
            }
            let bytes = if self.peer.received.contains_key(&one.epoch) {
                self.most_bytes
            } else {
                // It may have all of it already; its answer tells.
                self.most_bytes.min(self.clockwork.pace().first_bytes)
            };
            let mut frames = queue.read(one.epoch, next, bytes)?;
            frames.truncate(self.most_batches);
            let part = |(seq, frame)| Part {
                epoch: one.epoch,
                seq,
                frame,
            };
            return Ok(frames.into_iter().map(part).collect());
        }
        Ok(Vec::new())
    }

    /// Epochs that it may have committed more of. Those that it has nothing of are not worth a look.
    fn asks(&self, waiting: &[Waiting], sent: Option<Epoch>) -> Vec<Epoch> {
        let is_of_interest = |one: &&Waiting| {
            let received = self.peer.received.get(&one.epoch);
            received.is_none_or(|received| *received >= one.first)
        };
        let others = waiting.iter().filter(|one| Some(one.epoch) != sent);
        let epochs = others.filter(is_of_interest).map(|one| one.epoch);
        epochs.take(self.clockwork.pace().asks).collect()
    }
}
