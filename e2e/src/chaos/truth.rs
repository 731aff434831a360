//! What really happened on the nodes, which nobody else in the world may look at: how much was used,
//! which batches were made of it, and what was lost with a disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use protocol::{Counts, Epoch};

use super::world::{World, lock};

/// Units from the first to before the second.
pub type Span = (u64, u64);

/// How many units.
pub const fn size((start, end): Span) -> u64 {
    end - start
}

/// A batch of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Drawn at a start.
    pub epoch: Epoch,
    /// Number in the epoch.
    pub seq: u64,
}

/// What is in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// What was used.
    pub units: Span,
    /// Rows by table.
    pub rows: Counts,
    /// It stands where rows should be, from the beginning.
    pub is_gap: bool,
}

/// A spool that was lost.
#[derive(Clone, Debug, Default)]
pub struct Loss {
    /// How many epochs had begun by then.
    pub epochs: usize,
    /// Whether anything was lost with it.
    pub is_felt: bool,
}

/// Of one node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Batches that were kept for certain.
    pub kept: BTreeMap<Name, Content>,
    /// Tries to keep some that failed: the spool's state tells after a crash which of them did not.
    pub perhaps: Vec<Vec<(Name, Content)>>,
    /// Those that the agent did not delete yet.
    pub waiting: BTreeMap<Name, Span>,
    /// The highest seq of each epoch that the agent deleted.
    pub deleted: BTreeMap<Epoch, u64>,
    /// Units that may be missing, because a disk was lost.
    pub excused: Vec<Span>,
    /// Batches that were lost with a disk: some of their rows may be in tables.
    pub vanished: BTreeMap<Name, Content>,
    /// All epochs, in their order.
    pub epochs: Vec<Epoch>,
    /// Spools that were lost.
    pub losses: Vec<Loss>,
    /// Up to where units are in kept batches.
    pub told: u64,
    /// A spool without a state is no wonder.
    pub may_be_stateless: bool,
    /// Nothing waits any more, in memory or in the spool.
    pub is_drained: bool,
}

impl Node {
    fn new() -> Self {
        Self {
            may_be_stateless: true,
            ..Self::default()
        }
    }

    /// A spool was opened whose state is that units are told up to `state`.
    pub fn resolve(&mut self, state: u64) {
        let end = |tried: &Vec<(Name, Content)>| tried.last().map(|(_, content)| content.units.1);
        let mut perhaps = std::mem::take(&mut self.perhaps).into_iter();
        let found = perhaps.find(|tried| end(tried) == Some(state));
        for (name, content) in found.into_iter().flatten() {
            self.keep(name, content);
        }
    }

    /// This batch is in the spool.
    pub fn keep(&mut self, name: Name, content: Content) {
        self.kept.insert(name, content);
        self.waiting.insert(name, content.units);
        self.told = self.told.max(content.units.1);
        self.may_be_stateless = false;
    }

    /// A try that seemed to fail was done: the newest one of so many batches, as no other came after it.
    pub fn land(&mut self, batches: usize) {
        let tried = std::mem::take(&mut self.perhaps);
        let done = tried.into_iter().rfind(|tried| tried.len() == batches);
        for (name, content) in done.into_iter().flatten() {
            self.keep(name, content);
        }
    }

    /// A gap that tells of a lost spool.
    pub fn keep_gap(&mut self, name: Name) {
        let content = Content {
            units: (0, 0),
            rows: Counts::default(),
            is_gap: true,
        };
        self.kept.insert(name, content);
        self.waiting.insert(name, content.units);
    }

    /// Whether a try to keep it failed, which may have been done all the same.
    pub fn may_have(&self, name: &Name) -> bool {
        let mut tried = self.perhaps.iter().flatten();
        tried.any(|(tried, _)| tried == name)
    }

    /// The spool and all that waited in it are gone.
    pub fn lose(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let is_felt = !waiting.is_empty();
        self.may_be_stateless = true;
        for (name, span) in waiting {
            self.excused.push(span);
            if let Some(content) = self.kept.remove(&name) {
                self.vanished.insert(name, content);
            }
        }
        self.losses.push(Loss {
            epochs: self.epochs.len(),
            is_felt,
        });
    }
}

/// See the module.
#[derive(Debug)]
pub struct Truth {
    nodes: Vec<Mutex<Node>>,
    rates: Vec<u64>,
    end: Mutex<Option<Duration>>,
    world: Arc<World>,
}

impl Truth {
    /// Of so many nodes.
    pub fn new(world: &Arc<World>, nodes: usize) -> Arc<Self> {
        let rate = |_| world.draw(|random| random.between(1, 1_000));
        Arc::new(Self {
            nodes: (0..nodes).map(|_| Mutex::new(Node::new())).collect(),
            rates: (0..nodes).map(rate).collect(),
            end: Mutex::default(),
            world: Arc::clone(world),
        })
    }

    /// Name of a node.
    pub fn name(node: usize) -> String {
        format!("node-{node}")
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// What a node's counter shows: it goes on while no agent runs.
    pub fn counter(&self, node: usize) -> u64 {
        let now = self.world.elapsed();
        let until = lock(&self.end).map_or(now, |end| end.min(now));
        let rate = self.rates.get(node).copied().unwrap_or(1);
        rate * u64::try_from(until.as_millis()).unwrap_or(u64::MAX) / 10
    }

    /// Nothing is used from here on.
    pub fn stop(&self) {
        lock(&self.end).get_or_insert(self.world.elapsed());
    }

    /// Whether nothing is used any more.
    pub fn is_stopped(&self) -> bool {
        lock(&self.end).is_some()
    }

    /// Of one node.
    pub fn with<T>(&self, node: usize, change: impl FnOnce(&mut Node) -> T) -> T {
        change(&mut lock(&self.nodes[node]))
    }
}
