//! A cluster that is not there, and its day: teams with workloads of all sizes, their pods, and what each
//! of them does in each window. A seed makes everything, so that the same seed makes the same rows.
//!
//! What is drawn is drawn as causes, not as figures: a pod has a level of work that follows the day, and
//! now and then a burst; its CPU time, peak, percentile, throttling and packets all follow from those two.

mod cpu;
mod deal;
mod events;
mod machine;
mod memory;
mod network;
mod node;
mod plan;
mod pod;
mod random;
mod slot;
mod templates;
#[cfg(test)]
mod tests;
mod wants;
mod workload;

use std::{
    num::NonZero,
    thread::{self, ScopedJoinHandle},
};

use protocol::Timestamp;

use crate::held::Held;
use node::Node;

/// What makes a cluster.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Everything is drawn from it.
    pub seed: u64,
    /// Its name.
    pub cluster: String,
    /// Pods by day: some are scaled down at night, and jobs come on top.
    pub pods: usize,
    /// Start of the first window.
    pub start: Timestamp,
    /// Length of a window.
    pub interval_us: i64,
    /// Length of everything.
    pub length_us: i64,
}

impl Shape {
    /// Where everything ends.
    fn end(&self) -> Timestamp {
        self.start.plus_us(self.length_us)
    }
}

/// See the module.
pub struct Cluster {
    nodes: Vec<Node>,
    threads: usize,
}

impl Cluster {
    /// Before its first window.
    pub fn new(shape: &Shape) -> Self {
        let workloads = plan::workloads(shape);
        let nodes = deal::nodes(shape, &workloads);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { nodes, threads }
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The batches of the next so many windows, by node and then by time. Nodes know nothing of each other,
    /// so that it is all the same which thread makes them.
    pub fn windows(&mut self, count: u64) -> Vec<Held> {
        let share = self.nodes.len().div_ceil(self.threads).max(1);
        thread::scope(|scope| {
            let shares = self.nodes.chunks_mut(share).map(|nodes| {
                scope.spawn(move || {
                    let mut rows = Vec::new();
                    let mut made = Vec::new();
                    for node in nodes {
                        made.extend((0..count).map(|_| node.window(&mut rows)));
                    }
                    made
                })
            });
            let shares: Vec<_> = shares.collect();
            let batches = shares.into_iter().map(ScopedJoinHandle::join);
            let batches =
                batches.map(|made| made.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            batches.flatten().collect()
        })
    }
}
