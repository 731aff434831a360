//! Table `events`: what happened at a point in time.

use serde::{Deserialize, Serialize};

use crate::{Origin, Timestamp, table::record::record};

/// What kind of thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A process was chosen for want of memory.
    OomKill,
    /// Counters of a span of time are not in the ledger.
    #[default]
    Gap,
    /// A container was started again.
    Restart,
}

impl EventKind {
    /// Its text in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OomKill => "oom_kill",
            Self::Gap => "gap",
            Self::Restart => "restart",
        }
    }
}

record! {
    /// Something that happened.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Event in Events {
        /// When.
        pub timestamp: Timestamp,
        /// What.
        pub kind: EventKind,
        /// In which workload; absent for the node as a whole.
        pub pod_id: Option<String>,
        /// In words.
        pub message: String,
        /// One number for all processes that one incident took.
        pub incident: Option<u64>,
        /// How it ended: `killed`, `marked`, `not_exited`.
        pub outcome: Option<String>,
        /// Process.
        pub pid: Option<i64>,
        /// Its name.
        pub comm: Option<String>,
        /// Its peak resident memory.
        pub peak_rss_bytes: Option<i64>,
        /// Process whose allocation led to it.
        pub allocator_pid: Option<i64>,
        /// Id of the cgroup.
        pub cgroup_id: Option<i64>,
        /// Container that it happened in, where known.
        pub container: Option<String>,
        /// Why a container ended, as the kubelet says.
        pub reason: Option<String>,
        /// Exit code of an ended container.
        pub exit_code: Option<i64>,
        /// Namespace of the pod.
        pub namespace: Option<String>,
        /// Name of the pod.
        pub pod_name: Option<String>,
        /// Who wrote it.
        #[serde(flatten)]
        pub origin: Origin,
    }
}
