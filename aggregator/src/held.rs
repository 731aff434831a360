//! A batch that was checked and waits for its commit. Kept as it was sent: a tenth of its decoded size.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Counts, Epoch, Gap, Previous, Timestamp};

/// Which agent's start: buffers and watermarks are kept by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender {
    /// Node. Shared, because each table's watermark names it as well.
    pub node: Arc<str>,
    /// Drawn at every start of the agent.
    pub epoch: Epoch,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Held {
    /// Whose.
    pub sender: Sender,
    /// Cluster of the node.
    pub cluster: Arc<str>,
    /// Number in the epoch.
    pub seq: u64,
    /// Only with seq 1.
    pub previous: Option<Previous>,
    /// End of its window.
    pub window_end: Timestamp,
    /// Rows by table; of a gap, none but its own in `reconcile`.
    pub rows: Counts,
    /// What it says, if it is a gap.
    pub gap: Option<Gap>,
    /// The bytes that were sent.
    pub frame: Bytes,
}
