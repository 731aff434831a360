//! Objects as a real API server told them.

use super::*;

const PODS: &str = include_str!("../../../tests/data/api/pods.jsonl");
const OTHERS: [(Kind, &str); 5] = [
    (
        Kind::Nodes,
        include_str!("../../../tests/data/api/nodes.jsonl"),
    ),
    (
        Kind::Claims,
        include_str!("../../../tests/data/api/pvcs.jsonl"),
    ),
    (
        Kind::Volumes,
        include_str!("../../../tests/data/api/pvs.jsonl"),
    ),
    (
        Kind::ReplicaSets,
        include_str!("../../../tests/data/api/replicasets.jsonl"),
    ),
    (
        Kind::Jobs,
        include_str!("../../../tests/data/api/jobs.jsonl"),
    ),
];

fn recorded() -> Arc<Objects> {
    let objects = objects();
    for (kind, lines) in [(Kind::Pods, PODS)].into_iter().chain(OTHERS) {
        for line in lines.lines() {
            objects.put(kind, line).unwrap();
        }
    }
    assert_eq!(objects.oddities(), 0);
    objects
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn all_of_them_are_kept() {
    assert_eq!(recorded().tally().there, [1, 6, 1, 1, 1, 1]);
}

#[test]
fn a_pod_of_a_deployment() {
    let web = told(&recorded(), "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9").unwrap();
    assert_eq!(web.name, "web-768c4ccb68-mk5g4");
    assert_eq!(web.namespace, "demo");
    assert_eq!(web.owner.as_deref(), Some("Deployment/web"));
    assert_eq!(web.workload, "Deployment web");
    assert_eq!(web.qos.as_deref(), Some("burstable"));
    assert_eq!(web.requests, [Some(50), Some(16 << 20)]);
    assert_eq!(web.limits[1], None, "one container has none");
    assert_eq!(
        web.labels.unwrap(),
        texts(&[
            "app=web",
            "pod-template-hash=768c4ccb68",
            "tier=front",
            "topology.kubernetes.io/region=region-1",
            "topology.kubernetes.io/zone=zone-a"
        ])
    );
    assert_eq!(web.annotations.unwrap(), texts(&["example.com/team=a"]));
    let place = ["m5.large", "zone-a", "region-1"].map(|text| Some(text.to_owned()));
    assert_eq!(web.place[1..], place);
    assert_eq!(web.place[0], None, "it is no instance");
    assert_eq!((web.claimed_bytes, web.volumes), (Some(0), Some(vec![])));
}

#[test]
fn the_others() {
    let objects = recorded();
    let of = |name: &str| {
        let lines = PODS.lines().map(|line| serde_json::from_str(line).unwrap());
        let pod = lines
            .into_iter()
            .find(|pod: &Value| pod["metadata"]["name"] == name);
        told(&objects, pod.unwrap()["metadata"]["uid"].as_str().unwrap()).unwrap()
    };
    let once = of("once-l9668");
    assert_eq!(once.owner.as_deref(), Some("Job/once"));
    assert_eq!(once.workload, "Job once");
    let guaranteed = of("guaranteed");
    assert_eq!(guaranteed.owner, None);
    assert_eq!(guaranteed.workload, "Pod guaranteed");
    assert_eq!(guaranteed.claims, ["data"]);
    assert_eq!(guaranteed.claimed_bytes, Some(512 << 20));
    assert_eq!(
        guaranteed.volumes,
        Some(vec![]),
        "its volume is a directory"
    );
    assert_eq!(guaranteed.limits[0], Some(100));
}

#[test]
fn a_static_pod_is_found_by_its_hash_too() {
    let objects = recorded();
    let by_hash = told(&objects, "3b6f592f3e4ffc4b400a5d43d66cecf1").unwrap();
    assert_eq!(by_hash.owner.as_deref(), Some("Node/node-1"));
    assert_eq!(by_hash.workload, "StaticPod static-node-1");
    let line = PODS.lines().find(|line| line.contains("static-node-1"));
    let pod: Value = serde_json::from_str(line.unwrap()).unwrap();
    let by_uid = told(&objects, pod["metadata"]["uid"].as_str().unwrap());
    assert_eq!(by_uid, Some(by_hash));
}
