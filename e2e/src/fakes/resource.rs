//! Kinds of objects that the API server lists and watches.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The node.
    Nodes,
    /// Its pods.
    Pods,
    /// Persistent volume claims.
    Claims,
    /// Persistent volumes.
    Volumes,
    /// Replica sets.
    ReplicaSets,
    /// Jobs.
    Jobs,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Nodes,
        Self::Pods,
        Self::Claims,
        Self::Volumes,
        Self::ReplicaSets,
        Self::Jobs,
    ];

    /// As paths and rights name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::Claims => "persistentvolumeclaims",
            Self::Volumes => "persistentvolumes",
            Self::ReplicaSets => "replicasets",
            Self::Jobs => "jobs",
        }
    }

    /// As objects name it.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Nodes => "Node",
            Self::Pods => "Pod",
            Self::Claims => "PersistentVolumeClaim",
            Self::Volumes => "PersistentVolume",
            Self::ReplicaSets => "ReplicaSet",
            Self::Jobs => "Job",
        }
    }

    /// Group and version.
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::ReplicaSets => "apps/v1",
            Self::Jobs => "batch/v1",
            _ => "v1",
        }
    }

    /// In which path it is.
    pub(super) fn of(api_version: &str, name: &str) -> Option<Self> {
        let is_it = |one: &Self| (one.api_version(), one.name()) == (api_version, name);
        Self::ALL.into_iter().find(is_it)
    }
}
