//! How much the store holds.

use super::Store;
use crate::enrich::Kind;

/// Numbers of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that are there, by kind.
    pub there: [usize; Kind::ALL.len()],
    /// Those that are gone and can still be found, by kind.
    pub gone: [usize; Kind::ALL.len()],
    /// Different texts.
    pub texts: usize,
    /// Their bytes.
    pub text_bytes: usize,
    /// Pods that were not kept because there were too many.
    pub pods_left_out: u64,
    /// Labels or annotations of a pod that were not kept because there were too many bytes of texts.
    pub lists_left_out: u64,
}

impl Store {
    /// As it is now.
    pub fn tally(&self) -> Tally {
        let of = |kind| match kind {
            Kind::Nodes => (self.nodes.len(), self.nodes.gone()),
            Kind::Pods => (self.pods.len(), self.pods.gone()),
            Kind::Claims => (self.claims.len(), self.claims.gone()),
            Kind::Volumes => (self.volumes.len(), self.volumes.gone()),
            Kind::ReplicaSets => (self.replica_sets.len(), self.replica_sets.gone()),
            Kind::Jobs => (self.jobs.len(), self.jobs.gone()),
        };
        Tally {
            there: Kind::ALL.map(|kind| of(kind).0),
            gone: Kind::ALL.map(|kind| of(kind).1),
            texts: self.texts.len(),
            text_bytes: self.text_bytes,
            pods_left_out: self.left_out.pods,
            lists_left_out: self.left_out.lists,
        }
    }
}
