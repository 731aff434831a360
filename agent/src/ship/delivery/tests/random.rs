//! Many seeds of a bad network: nothing is deleted that is not committed, and in the end everything is.

use std::{collections::BTreeMap, time::Duration};

use protocol::{Ack, Answer, Epoch};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    super::{Action, Delivery, Effect, Outgoing, Pace},
    queue::{Fake, TABLE, epoch, seconds},
};

/// Takes batches as the protocol says, in memory first.
struct Aggregator {
    instance: u8,
    received: BTreeMap<Epoch, u64>,
    committed: BTreeMap<Epoch, u64>,
}

impl Aggregator {
    fn restart(&mut self) {
        self.instance = self.instance.wrapping_add(1);
        self.received = self.committed.clone();
    }

    fn take(&mut self, outgoing: &Outgoing) -> Ack {
        let mut expected = BTreeMap::new();
        for part in &outgoing.batches {
            let received = self.received.entry(part.epoch).or_default();
            if part.seq == *received + 1 {
                *received = part.seq;
            } else if part.seq > *received {
                expected.insert(part.epoch, *received + 1);
            }
        }
        let mut epochs: Vec<Epoch> = outgoing.batches.iter().map(|part| part.epoch).collect();
        epochs.extend(&outgoing.asks);
        epochs.dedup();
        let count = |map: &BTreeMap<Epoch, u64>, epoch| map.get(epoch).copied().unwrap_or_default();
        Ack {
            instance: epoch(self.instance),
            table_id: TABLE.into(),
            answers: epochs
                .iter()
                .map(|epoch| Answer {
                    epoch: *epoch,
                    received: count(&self.received, epoch),
                    committed: count(&self.committed, epoch),
                    expect: expected.get(epoch).copied(),
                })
                .collect(),
        }
    }
}

struct World {
    random: StdRng,
    now: Duration,
    delivery: Delivery,
    queue: Fake,
    aggregators: [Aggregator; 2],
    to: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let aggregator = |instance| Aggregator {
            instance,
            received: BTreeMap::new(),
            committed: BTreeMap::new(),
        };
        Self {
            random: StdRng::seed_from_u64(seed),
            now: Duration::ZERO,
            delivery: Delivery::new(Pace::default(), seed),
            queue: Fake::of(&[(1, 1, 4), (2, 1, 1), (3, 1, 3)]),
            aggregators: [aggregator(1), aggregator(100)],
            to: 0,
        }
    }

    fn step(&mut self, is_bad: bool) {
        match self.delivery.next(self.now, &self.queue).unwrap() {
            Action::Idle => self.now += seconds(1.0),
            Action::WaitUntil(until) => self.now = until,
            Action::Send(outgoing) => self.send(&outgoing, is_bad),
        }
        let draw = self.random.random_range(0..if is_bad { 8 } else { 2 });
        match draw {
            0 => self.commit(),
            1 if self.queue.waiting.len() == 3 && is_bad => self.queue.waiting[2].last += 1,
            2 => self.aggregators[self.to].restart(),
            3 => {
                self.to = 1 - self.to;
                self.delivery.on_disconnect();
            }
            _ => {}
        }
    }

    /// What one has received is committed for both: it is in the tables.
    fn commit(&mut self) {
        let received = self.aggregators[self.to].received.clone();
        for (epoch, seq) in received {
            for aggregator in &mut self.aggregators {
                let committed = aggregator.committed.entry(epoch).or_default();
                *committed = seq.max(*committed);
                let known = aggregator.received.entry(epoch).or_default();
                *known = (*known).max(*committed);
            }
        }
    }

    fn send(&mut self, outgoing: &Outgoing, is_bad: bool) {
        let fate = if is_bad {
            self.random.random_range(0..4)
        } else {
            3
        };
        if fate == 0 {
            self.delivery.on_failure(self.now, None);
            return;
        }
        let ack = self.aggregators[self.to].take(outgoing);
        if fate == 1 {
            self.delivery.on_failure(self.now, None);
            return;
        }
        let effects = self.delivery.on_answer(self.now, &ack, &mut self.queue);
        let effects = effects.unwrap();
        for effect in &effects {
            let Effect::Delete { epoch, up_to } = effect else {
                panic!("{effect:?}");
            };
            let committed = self.aggregators[self.to].committed.get(epoch);
            assert!(committed.is_some_and(|committed| committed >= up_to));
        }
        self.queue.apply(&effects);
    }
}

#[test]
fn nothing_is_deleted_before_it_is_committed_and_everything_gets_there() {
    for seed in 0..500 {
        let mut world = World::new(seed);
        for _ in 0..80 {
            world.step(true);
        }
        for _ in 0..200 {
            world.step(false);
        }
        let left = &world.queue.waiting;
        assert!(left.is_empty(), "seed {seed}: {left:?}");
    }
}
