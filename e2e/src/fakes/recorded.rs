//! The recorded answers in `e2e/data`, as trees.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Resource;

/// When the summary was asked for; the newest time in it.
pub(super) const SUMMARY_AT: &str = "2026-11-21T00:42:22Z";
/// The same for the summary that has a static pod.
pub(super) const STATIC_SUMMARY_AT: &str = "2026-11-21T01:07:38Z";
/// The version of the recorded pod list.
pub(super) const PODS_VERSION: u64 = 1086;

const SUMMARY: &str = include_str!("../../data/kubelet/stats-summary.json");
const STATIC_SUMMARY: &str = include_str!("../../data/kubelet/summary-with-static-pod.json");
const PODS: &str = include_str!("../../data/api/pods-node1.json");
const STATIC_POD: &str = include_str!("../../data/api/static-pod-api.json");
const NODE: &str = include_str!("../../data/api/node-1.json");
const OTHERS: [(Resource, &str); 4] = [
    (Resource::Claims, include_str!("../../data/api/pvcs.json")),
    (Resource::Volumes, include_str!("../../data/api/pvs.json")),
    (
        Resource::ReplicaSets,
        include_str!("../../data/api/replicasets.json"),
    ),
    (Resource::Jobs, include_str!("../../data/api/jobs.json")),
];
pub(super) const VERSION: &str = include_str!("../../data/api/version.json");
pub(super) const UNAUTHORIZED: &str = include_str!("../../data/api/err-401.json");
pub(super) const EXPIRED_LIST: &str = include_str!("../../data/api/err-410-exact.json");
pub(super) const EXPIRED_CONTINUE: &str = include_str!("../../data/api/err-410-continue.json");
pub(super) const REVIEW_OK: &str = include_str!("../../data/api/tokenreview-ok.json");
pub(super) const REVIEW_BAD: &str = include_str!("../../data/api/tokenreview-bad.json");
pub(super) const REVIEW_AUDIENCE: &str =
    include_str!("../../data/api/tokenreview-wrong-audience.json");

/// One pod as the kubelet and the API server tell it; either may not know it.
pub(super) struct Recorded {
    pub(super) stats: Option<Value>,
    pub(super) object: Option<Value>,
}

pub(super) fn tree(text: &str) -> Result<Value> {
    serde_json::from_str(text).context("a recorded answer is not JSON")
}

/// What the summary tells of the node, without pods.
pub(super) fn node_stats() -> Result<Value> {
    Ok(tree(SUMMARY)?["node"].take())
}

/// The node's object.
pub(super) fn node_object() -> Result<Value> {
    tree(NODE).map(as_item)
}

/// The objects that are neither nodes nor pods.
pub(super) fn others() -> Result<Vec<(Resource, Value)>> {
    let mut others = Vec::new();
    for (resource, list) in OTHERS {
        let objects = items(tree(list)?["items"].take());
        others.extend(objects.into_iter().map(|object| (resource, object)));
    }
    Ok(others)
}

/// As in a list, where items don't tell what they are.
fn as_item(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|key, _| key != "kind" && key != "apiVersion");
    }
    object
}

/// All pods of the node, in the summary's order; those that it leaves out come last.
pub(super) fn pods() -> Result<Vec<Recorded>> {
    let mut objects = items(tree(PODS)?["items"].take());
    let mut pods = Vec::new();
    for stats in items(tree(SUMMARY)?["pods"].take()) {
        let uid = &stats["podRef"]["uid"];
        let at = objects
            .iter()
            .position(|object| &object["metadata"]["uid"] == uid);
        let object = at.map(|at| objects.remove(at));
        pods.push(Recorded {
            stats: Some(stats),
            object,
        });
    }
    pods.extend(objects.into_iter().map(|object| Recorded {
        stats: None,
        object: Some(object),
    }));
    Ok(pods)
}

/// The static pod, of another run of the same node.
pub(super) fn static_pod() -> Result<Recorded> {
    let stats = items(tree(STATIC_SUMMARY)?["pods"].take())
        .into_iter()
        .find(|pod| pod["podRef"]["name"] == "static-node-1");
    Ok(Recorded {
        stats: Some(stats.context("the recorded summary has no static pod")?),
        object: Some(as_item(tree(STATIC_POD)?)),
    })
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
