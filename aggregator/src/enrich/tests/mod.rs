//! The store, by what rows are told of their pods.

mod gone;
mod odd;
mod recorded;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Bounds, Keep as _, Kind, Objects, Settings};
use crate::lake::rows::{Facts, Known as _, ListId, TextId};

/// All that is known of a pod, in words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    name: String,
    namespace: String,
    owner: Option<String>,
    workload: String,
    qos: Option<String>,
    host_network: bool,
    requests: [Option<i64>; 2],
    limits: [Option<i64>; 2],
    labels: Option<Vec<String>>,
    annotations: Option<Vec<String>>,
    claims: Vec<String>,
    claimed_bytes: Option<i64>,
    volumes: Option<Vec<String>>,
    /// Instance, its type, zone and region.
    place: [Option<String>; 4],
}

fn told(objects: &Objects, pod_id: &str) -> Option<Told> {
    let mut told = None;
    objects.read(&mut |facts| told = of(facts, pod_id));
    told
}

fn of(facts: &dyn Facts, pod_id: &str) -> Option<Told> {
    let pod = facts.pod(facts.find(pod_id)?)?;
    let text = |id: TextId| facts.text(id).to_owned();
    let list = |id: ListId| facts.list(id).iter().copied().map(text).collect();
    let mut volumes = Vec::new();
    let storage = facts.storage(&pod, &mut volumes);
    let place = pod.place;
    let places = [
        place.instance_id,
        place.instance_type,
        place.zone,
        place.region,
    ];
    let workload = pod.workload.map_or(pod.name.to_owned(), text);
    Some(Told {
        name: pod.name.to_owned(),
        namespace: text(pod.namespace),
        owner: pod.owner.map(text),
        workload: format!("{} {workload}", text(pod.workload_kind)),
        qos: pod.qos.map(text),
        host_network: pod.host_network,
        requests: pod.requests,
        limits: pod.limits,
        labels: pod.labels.map(list),
        annotations: pod.annotations.map(list),
        claims: list(pod.claim_names),
        claimed_bytes: storage.bytes,
        volumes: storage
            .has_all_volumes
            .then(|| volumes.into_iter().map(text).collect()),
        place: places.map(|place| place.map(text)),
    })
}

fn objects() -> Arc<Objects> {
    Objects::new(Settings::default())
}

fn with(bounds: Bounds) -> Arc<Objects> {
    let usual = Settings::default();
    Objects::new(Settings { bounds, ..usual })
}

fn put(objects: &Objects, kind: Kind, object: &Value) {
    objects.put(kind, &object.to_string()).unwrap();
}

fn bury(objects: &Objects, kind: Kind, object: &Value) {
    objects.gone(kind, &object.to_string()).unwrap();
}

/// A pod of a `ReplicaSet` with everything that is read, and of which anything may be replaced.
fn pod() -> Value {
    json!({
        "metadata": {
            "uid": "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9", "namespace": "shop", "name": "web-abc-1",
            "labels": {"app": "web", "pod-template-hash": "abc"},
            "annotations": {"b": "2", "a": "1=1"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc", "uid": "rs-uid", "controller": true}],
        },
        "spec": {
            "nodeName": "node-1",
            "hostNetwork": true,
            "containers": [{"resources": {"requests": {"cpu": "100m", "memory": "1Mi"}, "limits": {"cpu": 1, "memory": "2Mi"}}}],
            "volumes": [
                {"name": "config", "configMap": {"name": "web"}},
                {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
                {"name": "again", "persistentVolumeClaim": {"claimName": "data"}},
            ],
        },
        "status": {"qosClass": "Burstable"},
    })
}

const POD: &str = "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9";

fn node() -> Value {
    json!({
        "metadata": {"name": "node-1", "labels": {
            "topology.kubernetes.io/region": "eu-central-1",
            "node.kubernetes.io/instance-type": "m6i.large",
        }},
        "spec": {"providerID": "aws:///eu-central-1b/i-0abc"},
    })
}

fn claim(name: &str, storage: &str, volume: Option<&str>) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"resources": {"requests": {"storage": storage}}, "volumeName": volume},
    })
}

fn volume(name: &str, id: &str) -> Value {
    let csi = json!({"driver": "ebs.csi.aws.com", "volumeHandle": id});
    json!({"metadata": {"name": name}, "spec": {"csi": csi}})
}

fn replica_set() -> Value {
    let owner = json!({"kind": "Rollout", "name": "web", "uid": "x", "controller": true});
    json!({"metadata": {"uid": "rs-uid", "namespace": "shop", "name": "web-abc", "ownerReferences": [owner]}})
}

/// Everything that the pod has to do with.
fn others() -> Vec<(Kind, Value)> {
    vec![
        (Kind::Nodes, node()),
        (Kind::Claims, claim("data", "1Gi", Some("pv-1"))),
        (
            Kind::Claims,
            claim("web-abc-1-scratch", "512Mi", Some("pv-2")),
        ),
        (Kind::Volumes, volume("pv-1", "vol-1")),
        (Kind::Volumes, volume("pv-2", "vol-2")),
        (Kind::ReplicaSets, replica_set()),
    ]
}

/// What is told of it then.
fn whole() -> Told {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let place = ["i-0abc", "m6i.large", "eu-central-1b", "eu-central-1"];
    Told {
        name: "web-abc-1".to_owned(),
        namespace: "shop".to_owned(),
        owner: Some("Rollout/web".to_owned()),
        workload: "Rollout web".to_owned(),
        qos: Some("burstable".to_owned()),
        host_network: true,
        requests: [Some(100), Some(1 << 20)],
        limits: [Some(1_000), Some(2 << 20)],
        labels: Some(texts(&["app=web", "pod-template-hash=abc"])),
        annotations: Some(texts(&["a=1=1", "b=2"])),
        claims: texts(&["data", "web-abc-1-scratch"]),
        claimed_bytes: Some(3 << 29),
        volumes: Some(texts(&["vol-1", "vol-2"])),
        place: place.map(|place| Some(place.to_owned())),
    }
}
