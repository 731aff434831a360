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
        /// What: `oom_kill`, `restart`, or `gap` (counters of a span of time are not in the tables).
        pub kind: EventKind,
        /// In which workload; absent for the node as a whole.
        pub pod_id: Option<String>,
        /// In words.
        pub message: String,
        /// One number for all processes that one want of memory took; null for other kinds.
        pub incident: Option<u64>,
        /// Of an `oom_kill`: `killed`, `marked` (it ended by itself) or `not_exited`.
        pub outcome: Option<String>,
        /// Of an `oom_kill`: the process.
        pub pid: Option<i64>,
        /// Its name.
        pub comm: Option<String>,
        /// Of an `oom_kill`: the highest resident memory of that process.
        pub peak_rss_bytes: Option<i64>,
        /// Process whose allocation led to it.
        pub allocator_pid: Option<i64>,
        /// Id of the cgroup.
        pub cgroup_id: Option<i64>,
        /// Container that it happened in, where it is known.
        pub container: Option<String>,
        /// Of a `restart`: why the container had ended, as the kubelet says, such as `OOMKilled`.
        pub reason: Option<String>,
        /// Of a `restart`: exit code of the container that had ended.
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
