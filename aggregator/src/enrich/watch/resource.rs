//! How the API server names each kind.

use super::Kind;

const JSON: &str = "application/json";
/// Metadata is all that is needed of owners; an old or odd server may answer whole objects as well.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

impl Kind {
    /// In metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::Claims => "pvcs",
            Self::Volumes => "pvs",
            Self::ReplicaSets => "replicasets",
            Self::Jobs => "jobs",
        }
    }

    /// Path and selector; more of the query can be appended.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Nodes => "/api/v1/nodes?",
            // Those that have ended use nothing; the server tells their end as a deletion.
            Self::Pods => {
                "/api/v1/pods?fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&"
            }
            Self::Claims => "/api/v1/persistentvolumeclaims?",
            Self::Volumes => "/api/v1/persistentvolumes?",
            Self::ReplicaSets => "/apis/apps/v1/replicasets?",
            Self::Jobs => "/apis/batch/v1/jobs?",
        }
    }

    fn is_metadata(self) -> bool {
        matches!(self, Self::ReplicaSets | Self::Jobs)
    }

    /// Of a list's header.
    pub(super) fn list_type(self) -> &'static str {
        if self.is_metadata() {
            METADATA_LIST
        } else {
            JSON
        }
    }

    /// Of a watch's header.
    pub(super) fn watch_type(self) -> &'static str {
        if self.is_metadata() { METADATA } else { JSON }
    }

    /// What the aggregator's `ClusterRole` must allow.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Nodes => r#"{apiGroups: [""], resources: [nodes], verbs: [list, watch]}"#,
            Self::Pods => r#"{apiGroups: [""], resources: [pods], verbs: [list, watch]}"#,
            Self::Claims => {
                r#"{apiGroups: [""], resources: [persistentvolumeclaims], verbs: [list, watch]}"#
            }
            Self::Volumes => {
                r#"{apiGroups: [""], resources: [persistentvolumes], verbs: [list, watch]}"#
            }
            Self::ReplicaSets => {
                r"{apiGroups: [apps], resources: [replicasets], verbs: [list, watch]}"
            }
            Self::Jobs => r"{apiGroups: [batch], resources: [jobs], verbs: [list, watch]}",
        }
    }
}
