//! Whose a pod is, from what it says itself.

use serde::Deserialize;

use super::field::{Field, List, Text};

/// An element of `metadata.ownerReferences`.
#[derive(Deserialize)]
pub struct Owner<'a> {
    #[serde(borrow, default)]
    kind: Field<Text<'a>>,
    #[serde(borrow, default)]
    name: Field<Text<'a>>,
    #[serde(borrow, default)]
    uid: Field<Text<'a>>,
    #[serde(default)]
    controller: Field<bool>,
}

/// The owner that made an object and looks after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// `ReplicaSet`, Job, Node.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Its uid; nothing but an odd object lacks it.
    pub uid: Option<String>,
}

/// The one of the owners that is the controller.
pub fn controller(owners: List<Owner<'_>>, oddities: &mut u64) -> Option<Controller> {
    let owners = owners.elements(oddities);
    owners.into_iter().find_map(|owner| {
        let is_controller = owner.controller.take(oddities) == Some(true);
        let kind = owner.kind.owned(oddities)?;
        let name = owner.name.owned(oddities)?;
        let uid = owner.uid.owned(oddities);
        is_controller.then_some(Controller { kind, name, uid })
    })
}

/// Kind and name of what a person deployed, as far as the pod itself tells.
pub fn workload<'a>(
    controller: Option<&'a Controller>,
    template_hash: Option<&str>,
    pod_name: &'a str,
) -> (&'a str, &'a str) {
    let Some(Controller { kind, name, .. }) = controller else {
        return ("Pod", pod_name);
    };
    if kind == "Node" {
        return ("StaticPod", pod_name);
    }
    if kind == "ReplicaSet"
        && let Some(deployment) = template_hash
            .filter(|hash| !hash.is_empty())
            .and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'))
            .filter(|deployment| !deployment.is_empty())
    {
        return ("Deployment", deployment);
    }
    (kind, name)
}

/// The uid that a static pod has in cgroup paths, from the annotations `kubernetes.io/config.hash` and
/// `kubernetes.io/config.mirror`. Only of mirror pods: on any other, the first is a user's and could name another's pod.
pub fn config_hash(
    controller: Option<&Controller>,
    hash: Option<String>,
    mirror: Option<String>,
) -> Option<String> {
    let is_mirror = controller.is_some_and(|controller| controller.kind == "Node");
    if !is_mirror && mirror.is_none() {
        return None;
    }
    hash.or(mirror)
}
