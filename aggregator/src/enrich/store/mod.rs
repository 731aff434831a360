//! What is kept of all objects, and how they refer to each other.

mod apply;
mod facts;
mod interned;
mod key;
mod shelf;
mod tally;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Kind;
use crate::lake::rows::{ListId, TextId};
use interned::Interned;
use shelf::Shelf;

pub use tally::Tally;

/// What bounds the store.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long what is gone can still be found: rows come up to a commit and a bad connection late.
    pub keep_gone: Duration,
    /// How many objects of a kind that are gone, at most.
    pub most_gone: usize,
    /// Pods that are kept.
    pub most_pods: usize,
    /// Bytes of labels, annotations and other texts. Beyond it new annotations and labels are not kept.
    pub most_text_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            keep_gone: Duration::from_secs(30 * 60),
            most_gone: 30_000,
            most_pods: 400_000,
            most_text_bytes: 256 << 20,
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Store {
    bounds: Bounds,
    texts: Interned<str>,
    text_bytes: usize,
    lists: Interned<[TextId]>,
    pods: Shelf<Pod>,
    nodes: Shelf<Node>,
    claims: Shelf<Claim>,
    volumes: Shelf<Volume>,
    replica_sets: Shelf<Owned>,
    jobs: Shelf<Owned>,
    /// Numbers of pods by their config hash.
    static_pods: HashMap<TextId, u32>,
    left_out: LeftOut,
}

/// What was not kept because a bound was reached.
#[derive(Clone, Copy, Default)]
struct LeftOut {
    pods: u64,
    lists: u64,
}

/// Small enough that 150,000 of them are no matter.
struct Pod {
    name: Box<str>,
    namespace: TextId,
    owner: Owner,
    made_by: Option<MadeBy>,
    qos: Option<TextId>,
    labels: Option<ListId>,
    annotations: Option<ListId>,
    node: Option<u32>,
    config_hash: Option<TextId>,
    claim_names: ListId,
    /// Numbers of claims.
    claims: Box<[u32]>,
    host_network: bool,
    /// Requests and limits, CPU and memory; below zero where there is none.
    amounts: [i64; 4],
}

/// Who made a pod, if that may have been made by somebody itself.
#[derive(Clone, Copy)]
enum MadeBy {
    ReplicaSet(u32),
    Job(u32),
}

/// `Kind/name`, kind, and the name.
#[derive(Clone, Copy)]
struct Owner {
    owner: Option<TextId>,
    kind: TextId,
    /// None if it is the pod's own.
    name: Option<TextId>,
}

struct Node {
    zone: Option<TextId>,
    region: Option<TextId>,
    instance_type: Option<TextId>,
    instance_id: Option<TextId>,
}

struct Claim {
    bytes: Option<i64>,
    volume: Option<u32>,
}

struct Volume {
    aws_id: Option<TextId>,
}

/// A `ReplicaSet` or a Job.
struct Owned {
    by: Option<Owner>,
}

impl Store {
    /// Empty.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// A list of a kind begins.
    pub fn begin(&mut self, kind: Kind) {
        match kind {
            Kind::Pods => self.pods.begin(),
            Kind::Nodes => self.nodes.begin(),
            Kind::Claims => self.claims.begin(),
            Kind::Volumes => self.volumes.begin(),
            Kind::ReplicaSets => self.replica_sets.begin(),
            Kind::Jobs => self.jobs.begin(),
        }
    }

    /// The list is whole.
    pub fn end(&mut self, kind: Kind, now: Instant) {
        match kind {
            Kind::Pods => self.pods.end(now),
            Kind::Nodes => self.nodes.end(now),
            Kind::Claims => self.claims.end(now),
            Kind::Volumes => self.volumes.end(now),
            Kind::ReplicaSets => self.replica_sets.end(now),
            Kind::Jobs => self.jobs.end(now),
        }
    }

    /// An object is no longer there.
    pub fn bury(&mut self, kind: Kind, key: &str, now: Instant) {
        match kind {
            Kind::Pods => self.pods.bury(key, now),
            Kind::Nodes => self.nodes.bury(key, now),
            Kind::Claims => self.claims.bury(key, now),
            Kind::Volumes => self.volumes.bury(key, now),
            Kind::ReplicaSets => self.replica_sets.bury(key, now),
            Kind::Jobs => self.jobs.bury(key, now),
        }
    }

    /// Lets go what has been gone for long enough.
    pub fn forget(&mut self, now: Instant) {
        let Bounds {
            keep_gone: keep,
            most_gone: most,
            ..
        } = self.bounds;
        while let Some((number, pod)) = self.pods.forget(now, keep, most) {
            self.drop_pod(number, pod);
        }
        while let Some((_, node)) = self.nodes.forget(now, keep, most) {
            self.drop_node(&node);
        }
        while let Some((_, claim)) = self.claims.forget(now, keep, most) {
            self.drop_claim(&claim);
        }
        while let Some((_, volume)) = self.volumes.forget(now, keep, most) {
            self.drop_text(volume.aws_id);
        }
        while let Some((_, owned)) = self.replica_sets.forget(now, keep, most) {
            self.drop_owned(&owned);
        }
        while let Some((_, owned)) = self.jobs.forget(now, keep, most) {
            self.drop_owned(&owned);
        }
    }
}
