//! What befalls the world from outside, now and then, until it heals.

use std::{rc::Rc, sync::Arc, time::Duration};

use super::{
    aggregator::Place,
    life::Fate,
    network::Network,
    node::Node,
    random::Random,
    world::{World, lock},
};
use crate::disk::Mood;

/// Farthest that a clock jumps, in seconds: beyond the age at which windows are refused.
const FARTHEST: u64 = 10 * 24 * 3600;

/// Whom it may befall.
pub struct Victims {
    /// The world.
    pub world: Arc<World>,
    /// Its network.
    pub network: Arc<Network>,
    /// Nodes.
    pub nodes: Vec<Rc<Node>>,
    /// Places of aggregators.
    pub places: Vec<Arc<Place>>,
}

impl Victims {
    /// One disaster after the other.
    pub async fn suffer(self) {
        loop {
            self.world.linger(self.world.profile.disaster_ms * 2).await;
            if self.world.is_healed() {
                return;
            }
            self.disaster();
        }
    }

    fn disaster(&self) {
        let kind = self.world.draw(|random| random.below(12));
        match kind {
            0..=2 => self.end_agent(),
            3..=5 => self.end_aggregator(),
            6 => self.freeze(),
            7 => self.cut(),
            8 => self.unbelieve(),
            9 => self.turn_a_clock(),
            _ => self.upset_a_disk(),
        }
    }

    fn node(&self) -> (usize, Arc<Fate>) {
        let index = self.index(self.nodes.len());
        (index, Arc::clone(&lock(&self.nodes[index].life)))
    }

    fn place(&self) -> (usize, Arc<Fate>) {
        let index = self.index(self.places.len());
        (index, Arc::clone(&lock(&self.places[index].life)))
    }

    fn index(&self, of: usize) -> usize {
        let index = self.world.draw(|random| random.below(of as u64));
        usize::try_from(index).unwrap_or(0)
    }

    fn span(&self) -> Duration {
        let ms = self.world.draw(|random| random.magnitude(100, 600_000));
        Duration::from_millis(ms)
    }

    fn end_agent(&self) {
        let (index, fate) = self.node();
        self.world.note(format_args!("node-{index} is killed"));
        fate.end();
    }

    fn end_aggregator(&self) {
        let (index, fate) = self.place();
        self.world
            .note(format_args!("aggregator {index} is killed"));
        fate.end();
    }

    /// It comes back later, with what it holds.
    fn freeze(&self) {
        let (index, fate) = self.place();
        let span = self.span();
        self.world
            .note(format_args!("aggregator {index} stands still for {span:?}"));
        fate.freeze(span);
    }

    fn cut(&self) {
        let (node, door) = (self.index(self.nodes.len()), self.index(self.places.len()));
        let span = self.span();
        self.world.note(format_args!(
            "node-{node} and aggregator {door} are cut off for {span:?}"
        ));
        self.network.cut(node, door, span);
    }

    fn unbelieve(&self) {
        let (node, span) = (self.index(self.nodes.len()), self.span());
        self.world
            .note(format_args!("node-{node} is not believed for {span:?}"));
        self.network.unbelieve(node, span);
    }

    fn upset_a_disk(&self) {
        if !self.world.profile.disks_fail {
            return;
        }
        let node = Rc::clone(&self.nodes[self.index(self.nodes.len())]);
        let mood = self.world.draw(|random| {
            let left = random.magnitude(1, 200);
            match random.below(4) {
                0 => Mood::Full(left),
                1 => Mood::SyncFails(left / 16),
                _ => Mood::Dies(left),
            }
        });
        node.set_mood(mood);
        let span = self.span();
        if !matches!(mood, Mood::Dies(_)) {
            tokio::task::spawn_local(async move {
                tokio::time::sleep(span).await;
                node.set_mood(Mood::Works);
            });
        }
    }

    fn turn_a_clock(&self) {
        if !self.world.profile.clocks_jump {
            return;
        }
        let is_node = self.world.draw(|random| random.chance(7_000));
        let (index, fate) = if is_node { self.node() } else { self.place() };
        let skew = self.world.draw(skew);
        let who = if is_node { "node" } else { "aggregator" };
        self.world.note(format_args!(
            "the clock of {who} {index} is wrong by {skew} us"
        ));
        fate.skew(skew);
    }
}

fn skew(random: &mut Random) -> i64 {
    let us = random.magnitude(1_000, FARTHEST * 1_000_000);
    let us = i64::try_from(us).unwrap_or(0);
    match random.below(3) {
        0 => 0,
        1 => us,
        _ => -us,
    }
}
