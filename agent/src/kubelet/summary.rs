//! What the kubelet tells of its node and pods at one moment.

use protocol::Timestamp;

/// A node holds some hundred.
pub(super) const MOST_PODS: usize = 5_000;
pub(super) const MOST_BYTES: usize = 64 * 1_024 * 1_024;

/// A summary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The node as a whole.
    pub node: NodeStats,
    /// Its pods, in the kubelet's order, each uid once.
    pub pods: Vec<PodStats>,
    /// Values and entries that could not be used.
    pub oddities: u64,
    /// Where the first of them is, and what it is.
    pub first_oddity: Option<String>,
}

/// The node as a whole. What an older kubelet does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeStats {
    /// Name of the node.
    pub node_name: Option<String>,
    /// Boot of the node.
    pub start_time: Option<Timestamp>,
    /// CPU.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Its default interface.
    pub network: Option<Network>,
    /// Swap in use.
    pub swap_usage_bytes: Option<u64>,
    /// Pressure.
    pub psi: Option<Psi>,
}

/// A pod. What an older kubelet does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodStats {
    /// Uid; of a static pod the hash of its configuration.
    pub uid: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// When the kubelet saw it first.
    pub start_time: Option<Timestamp>,
    /// CPU.
    pub cpu: Option<Cpu>,
    /// `cpu` is the sum of its containers': it shrinks when one of them goes.
    pub is_cpu_summed: bool,
    /// Memory.
    pub memory: Option<Memory>,
    /// Its default interface; with the host's network, the node's.
    pub network: Option<Network>,
    /// Swap in use.
    pub swap_usage_bytes: Option<u64>,
    /// Pressure.
    pub psi: Option<Psi>,
    /// Written to the node's disk: layers, logs and empty-dir volumes.
    pub ephemeral_storage_used_bytes: Option<u64>,
}

/// CPU use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// When it was read.
    pub time: Timestamp,
    /// CPU time so far.
    pub usage_core_ns: u64,
    /// Mean over the kubelet's own window.
    pub usage_nano_cores: Option<u64>,
}

/// Memory use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// When it was read.
    pub time: Timestamp,
    /// All of it, caches included.
    pub usage_bytes: Option<u64>,
    /// Without the cache that can go at once.
    pub working_set_bytes: Option<u64>,
    /// Anonymous.
    pub rss_bytes: Option<u64>,
}

/// Traffic so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// When it was read.
    pub time: Timestamp,
    /// Bytes sent.
    pub tx_bytes: Option<u64>,
    /// Bytes received.
    pub rx_bytes: Option<u64>,
}

/// Time lost to waiting so far: by some task, by all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Psi {
    /// For CPU.
    pub cpu_some_us: Option<u64>,
    /// For CPU.
    pub cpu_full_us: Option<u64>,
    /// For memory.
    pub memory_some_us: Option<u64>,
    /// For memory.
    pub memory_full_us: Option<u64>,
    /// For a block device.
    pub io_some_us: Option<u64>,
    /// For a block device.
    pub io_full_us: Option<u64>,
}

/// An answer that is no summary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    /// More than a node can have.
    #[error("the summary has {bytes} bytes, more than {MOST_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// More than a node can have.
    #[error("the summary has {pods} pods, more than {MOST_PODS}")]
    TooManyPods {
        /// How many.
        pods: usize,
    },
    /// No JSON, or not to its end.
    #[error("the answer is no JSON: at byte {offset}: {reason}; it begins with \"{begin}\"")]
    NotJson {
        /// Where it ends to be JSON.
        offset: usize,
        /// Why.
        reason: String,
        /// Its first bytes.
        begin: String,
    },
    /// JSON of something else.
    #[error(
        "the answer is JSON, but no summary: {reason}; it begins with \"{begin}\". \
         Is KUBELET_ENDPOINT the kubelet's /stats/summary?"
    )]
    NotASummary {
        /// What is missing.
        reason: &'static str,
        /// Its first bytes.
        begin: String,
    },
}
