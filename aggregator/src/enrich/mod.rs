//! What the API server tells of pods, nodes, claims and volumes, and how rows are completed with it.

mod objects;
mod read;
mod store;
#[cfg(test)]
mod tests;
pub mod watch;

use std::fmt;

pub use objects::{Objects, Settings};
pub use store::{Bounds, Tally};

/// Objects that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nodes.
    Nodes,
    /// Pods that have not ended.
    Pods,
    /// Persistent volume claims.
    Claims,
    /// Persistent volumes.
    Volumes,
    /// Their metadata only: which Deployment a pod is of.
    ReplicaSets,
    /// Their metadata only: which `CronJob` a pod is of.
    Jobs,
}

impl Kind {
    /// All, in the order in which they are numbered.
    pub const ALL: [Self; 6] = [
        Self::Nodes,
        Self::Pods,
        Self::Claims,
        Self::Volumes,
        Self::ReplicaSets,
        Self::Jobs,
    ];
}

/// Why an object can't be kept: what is wrong with it, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd(pub String);

impl fmt::Display for Odd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Whoever keeps what the watches tell. Objects are JSON as the API server writes it.
pub trait Keep: Send + Sync {
    /// A list of this kind begins: whatever is not told again before [`Keep::end`] is gone.
    fn begin(&self, kind: Kind);
    /// An object is there, or is another than before.
    fn put(&self, kind: Kind, object: &str) -> Result<(), Odd>;
    /// An object is no longer there; this was its last state.
    fn gone(&self, kind: Kind, object: &str) -> Result<(), Odd>;
    /// The list is whole.
    fn end(&self, kind: Kind);
}
