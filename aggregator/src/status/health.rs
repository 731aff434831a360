//! The answer of `/health`, in the words of the older system. It tells; it is no reason to end the
//! process: nothing that it tells of is mended by a new one.

use crate::enrich::{Kind, watch::Watches};

/// The body, as JSON. Batches are taken while nothing is missing.
pub(super) fn body(is_missing: bool, debug_k8s_api: bool, watches: &Watches) -> String {
    let status = match is_missing {
        true => "unhealthy",
        false => "healthy",
    };
    let [nodes, pods, claims, volumes] =
        [Kind::Nodes, Kind::Pods, Kind::Claims, Kind::Volumes].map(|kind| watches.is_listed(kind));
    let all = nodes && pods && claims && volumes;
    format!(
        "{{\"status\":\"{status}\",\"debug_k8s_api\":{debug_k8s_api},\"watchers_initialized\":\
        {{\"nodes\":{nodes},\"pods\":{pods},\"pvcs\":{claims},\"pvs\":{volumes}}},\
        \"all_watchers_ready\":{all}}}"
    )
}
