//! What the agent keeps of a pod.

use protocol::{
    Timestamp,
    pod::{self, Demand, Field, Text},
};

use super::wire::{ContainerStatus, Metadata, Pod, State, Status};

/// A pod, trimmed to what rows and events need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// The API's uid; in cgroup paths too, but for static pods.
    pub uid: String,
    /// Of static pods: the uid in cgroup paths and in the kubelet's summary.
    pub config_hash: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The controlling owner as `Kind/name`.
    pub owner: Option<String>,
    /// Kind of what a person deployed: Deployment rather than `ReplicaSet`.
    pub workload_kind: Option<String>,
    /// Name of what a person deployed.
    pub workload: Option<String>,
    /// guaranteed, burstable or besteffort.
    pub qos: Option<String>,
    /// It has the node's network namespace.
    pub host_network: bool,
    /// What the scheduler sets aside for the whole pod.
    pub requests_cpu_millicores: Option<i64>,
    /// What the scheduler sets aside for the whole pod.
    pub requests_memory_bytes: Option<i64>,
    /// None if any container may use more.
    pub limits_cpu_millicores: Option<i64>,
    /// None if any container may use more.
    pub limits_memory_bytes: Option<i64>,
    /// When the kubelet took it.
    pub start_time: Option<Timestamp>,
    /// It ended for good: Succeeded or Failed.
    pub is_terminal: bool,
    /// Its containers that have a status: usual, init, sidecars, ephemeral.
    pub containers: Vec<ContainerFacts>,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Name in the pod.
    pub name: String,
    /// The runtime's id, without its scheme.
    pub container_id: Option<String>,
    /// How often it was started again.
    pub restart_count: u32,
    /// How it ended last.
    pub last_end: Option<ContainerEnd>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerEnd {
    /// `OOMKilled`, Error, Completed.
    pub reason: Option<String>,
    /// Of its first process.
    pub exit_code: Option<i64>,
    /// When.
    pub finished_at: Option<Timestamp>,
}

/// Reads a pod from JSON. None unless it is one with a uid, a namespace and a name.
pub fn facts_from_json(json: &[u8]) -> Option<PodFacts> {
    let text = std::str::from_utf8(json).ok()?;
    read(text, &mut 0)
}

/// The same, counting the fields that were not what they must be.
pub(super) fn read(json: &str, oddities: &mut u64) -> Option<PodFacts> {
    let pod: Pod<'_> = serde_json::from_str(json).ok()?;
    let mut facts = identity(pod.metadata, oddities)?;
    if let Some(spec) = pod.spec.take(oddities) {
        demand(spec.demand(oddities), &mut facts);
    }
    if let Some(status) = pod.status.take(oddities) {
        read_status(status, &mut facts, oddities);
    }
    Some(facts)
}

fn identity(metadata: Metadata<'_>, oddities: &mut u64) -> Option<PodFacts> {
    let mut facts = PodFacts {
        uid: metadata.uid.owned(oddities)?,
        namespace: metadata.namespace.owned(oddities)?,
        name: metadata.name.owned(oddities)?,
        ..PodFacts::default()
    };
    let template_hash = metadata.labels.take(oddities).and_then(|labels| {
        let hash = labels.pod_template_hash;
        hash.text(oddities)
    });
    let annotations = metadata.annotations.take(oddities).unwrap_or_default();
    let controller = pod::controller(metadata.owner_references, oddities);
    facts.config_hash = pod::config_hash(
        controller.as_ref(),
        annotations.config_hash.owned(oddities),
        annotations.config_mirror.owned(oddities),
    );
    let (kind, name) = pod::workload(controller.as_ref(), template_hash.as_deref(), &facts.name);
    let workload = (Some(kind.to_owned()), Some(name.to_owned()));
    (facts.workload_kind, facts.workload) = workload;
    facts.owner = controller.map(|owner| format!("{}/{}", owner.kind, owner.name));
    Some(facts)
}

fn demand(demand: Demand, facts: &mut PodFacts) {
    facts.host_network = demand.host_network;
    facts.requests_cpu_millicores = demand.requests.cpu_millicores;
    facts.requests_memory_bytes = demand.requests.memory_bytes;
    facts.limits_cpu_millicores = demand.limits.cpu_millicores;
    facts.limits_memory_bytes = demand.limits.memory_bytes;
}

fn read_status(status: Status<'_>, facts: &mut PodFacts, oddities: &mut u64) {
    let phase = status.phase.text(oddities);
    facts.is_terminal = matches!(phase.as_deref(), Some("Succeeded" | "Failed"));
    facts.qos = status
        .qos_class
        .owned(oddities)
        .map(|qos| qos.to_ascii_lowercase());
    facts.start_time = time(status.start_time, oddities);
    let lists = [
        status.init_container_statuses,
        status.container_statuses,
        status.ephemeral_container_statuses,
    ];
    let statuses = lists.map(|list| list.elements(oddities));
    facts.containers = statuses
        .into_iter()
        .flatten()
        .filter_map(|status| container(status, oddities))
        .collect();
}

fn container(status: ContainerStatus<'_>, oddities: &mut u64) -> Option<ContainerFacts> {
    let Some(name) = status.name.owned(oddities) else {
        *oddities += 1;
        return None;
    };
    Some(ContainerFacts {
        name,
        container_id: container_id(status.container_id, oddities),
        restart_count: status.restart_count.take(oddities).unwrap_or(0),
        last_end: last_end(status.last_state, oddities),
    })
}

fn container_id(id: Field<Text<'_>>, oddities: &mut u64) -> Option<String> {
    let id = id.text(oddities)?;
    let bare = id.split_once("://").map_or(&*id, |(_, bare)| bare);
    (!bare.is_empty()).then(|| bare.to_owned())
}

fn last_end(state: Field<State<'_>>, oddities: &mut u64) -> Option<ContainerEnd> {
    let terminated = state.take(oddities)?.terminated.take(oddities)?;
    Some(ContainerEnd {
        reason: terminated.reason.owned(oddities),
        exit_code: terminated.exit_code.take(oddities),
        finished_at: time(terminated.finished_at, oddities),
    })
}

fn time(field: Field<Text<'_>>, oddities: &mut u64) -> Option<Timestamp> {
    let text = field.text(oddities)?;
    let time = humantime::parse_rfc3339(&text).ok();
    if time.is_none() {
        *oddities += 1;
    }
    time.map(Timestamp::from_system)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const RECORDED: &str = include_str!("../../tests/data/api/pods-node1.json");
    const STATIC_POD: &[u8] = include_bytes!("../../tests/data/api/static-pod-api.json");

    fn recorded(name: &str) -> PodFacts {
        let list: Value = serde_json::from_str(RECORDED).unwrap();
        let items = list["items"].as_array().unwrap();
        let pod = items.iter().find(|pod| pod["metadata"]["name"] == name);
        let mut oddities = 0;
        let facts = read(&pod.unwrap().to_string(), &mut oddities).unwrap();
        assert_eq!(oddities, 0);
        facts
    }

    #[test]
    fn a_recorded_pod_of_a_deployment_is_read() {
        let facts = recorded("web-768c4ccb68-mk5g4");
        assert_eq!(facts.uid, "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9");
        assert_eq!(facts.namespace, "demo");
        assert_eq!(facts.owner.as_deref(), Some("ReplicaSet/web-768c4ccb68"));
        assert_eq!(facts.workload_kind.as_deref(), Some("Deployment"));
        assert_eq!(facts.workload.as_deref(), Some("web"));
        assert_eq!(facts.qos.as_deref(), Some("burstable"));
        assert_eq!(facts.requests_cpu_millicores, Some(50));
        assert_eq!(facts.requests_memory_bytes, Some(16 << 20));
        assert_eq!(facts.limits_memory_bytes, None, "one container has none");
        assert!(!facts.host_network && !facts.is_terminal);
        let start = facts.start_time.unwrap().to_string();
        assert_eq!(start, "2026-11-21T00:40:56.000000Z");
        let names: Vec<&str> = facts.containers.iter().map(|c| &*c.name).collect();
        assert_eq!(names, ["init", "httpd", "side"]);
        let id = facts.containers[1].container_id.as_deref().unwrap();
        assert!(id.starts_with("4d373b64"), "{id}");
    }

    #[test]
    fn the_other_recorded_pods_are_read() {
        let once = recorded("once-l9668");
        assert!(once.is_terminal);
        assert_eq!(once.workload_kind.as_deref(), Some("Job"));
        assert_eq!(once.workload.as_deref(), Some("once"));
        let crash = recorded("crash");
        assert_eq!(crash.owner, None);
        assert_eq!(crash.workload_kind.as_deref(), Some("Pod"));
        assert_eq!(crash.workload.as_deref(), Some("crash"));
        let end = crash.containers[0].last_end.as_ref().unwrap();
        assert_eq!(crash.containers[0].restart_count, 3);
        assert_eq!(
            (end.reason.as_deref(), end.exit_code),
            (Some("Error"), Some(3))
        );
        assert!(end.finished_at.is_some());
        assert!(recorded("hostnet").host_network);
        let guaranteed = recorded("guaranteed");
        assert_eq!(guaranteed.qos.as_deref(), Some("guaranteed"));
        assert_eq!(guaranteed.limits_cpu_millicores, Some(100));
        assert_eq!(recorded("noimage").containers[0].container_id, None);
    }

    #[test]
    fn a_mirror_pod_has_the_uid_of_cgroups_too() {
        let facts = facts_from_json(STATIC_POD).unwrap();
        let hash = "3b6f592f3e4ffc4b400a5d43d66cecf1";
        assert_eq!(facts.config_hash.as_deref(), Some(hash));
        assert_eq!(facts.workload_kind.as_deref(), Some("StaticPod"));
        assert_eq!(facts.workload.as_deref(), Some("static-node-1"));
        assert_eq!(facts.owner.as_deref(), Some("Node/node-1"));
    }

    #[test]
    fn a_users_annotation_makes_no_static_pod() {
        let metadata = json!({"uid": "u", "namespace": "n", "name": "p",
            "annotations": {"kubernetes.io/config.hash": "other"}});
        let facts = facts_from_json(json!({ "metadata": metadata }).to_string().as_bytes());
        assert_eq!(facts.unwrap().config_hash, None);
    }

    #[test]
    fn a_replica_set_of_its_own_is_a_workload() {
        let pod = |owner: &str, hash: Value| {
            let metadata = json!({"uid": "u", "namespace": "n", "name": "p",
                "labels": {"pod-template-hash": hash},
                "ownerReferences": [
                    {"kind": "Other", "name": "x"},
                    {"kind": "ReplicaSet", "name": owner, "controller": true}]});
            let text = json!({ "metadata": metadata }).to_string();
            let facts = facts_from_json(text.as_bytes()).unwrap();
            format!(
                "{}/{}",
                facts.workload_kind.unwrap(),
                facts.workload.unwrap()
            )
        };
        assert_eq!(pod("web-abc", json!("abc")), "Deployment/web");
        assert_eq!(pod("web-abc", json!("xyz")), "ReplicaSet/web-abc");
        assert_eq!(pod("web-abc", json!("")), "ReplicaSet/web-abc");
        assert_eq!(pod("-abc", json!("abc")), "ReplicaSet/-abc");
        assert_eq!(pod("webabc", json!("abc")), "ReplicaSet/webabc");
        assert_eq!(pod("web-abc", json!(7)), "ReplicaSet/web-abc");
    }

    #[test]
    fn odd_fields_are_none_and_counted() {
        let long = "x".repeat(10_000);
        let pod = json!({
            "metadata": {"uid": "u", "namespace": "n", "name": "p", "labels": 5, "annotations": 3,
                "ownerReferences": [7, {"kind": {}, "name": "x", "controller": true}]},
            "spec": "none",
            "status": {"phase": 3, "qosClass": long, "startTime": "yesterday", "containerStatuses": [
                {"name": "c", "containerID": 1, "restartCount": -1,
                    "lastState": {"terminated": {"exitCode": "x", "finishedAt": null, "reason": null}}},
                {"restartCount": 1}]},
        });
        let mut oddities = 0;
        let facts = read(&pod.to_string(), &mut oddities).unwrap();
        assert_eq!(oddities, 12);
        assert_eq!(facts.containers.len(), 1);
        assert_eq!(facts.containers[0].last_end, Some(ContainerEnd::default()));
        assert_eq!((facts.qos, facts.start_time), (None, None));
    }

    #[test]
    fn what_is_no_pod_is_none() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let in_pod =
            format!(r#"{{"metadata":{{"uid":"u","namespace":"n","name":"p"}},"spec":{deep}}}"#);
        assert_eq!(facts_from_json(in_pod.as_bytes()).unwrap().uid, "u");
        for wrong in [
            &b""[..],
            b"\xff",
            b"null",
            b"[]",
            b"{}",
            br#"{"metadata":null}"#,
            br#"{"metadata":{"uid":"","namespace":"n","name":"p"}}"#,
            br#"{"metadata":{"uid":"u","namespace":"n"}}"#,
            br#"{"metadata":{"uid":5,"namespace":"n","name":"p"}}"#,
            br#"{"metadata":{"uid":"u","namespace":"n","name":"p"}"#,
            deep.as_bytes(),
        ] {
            assert_eq!(facts_from_json(wrong), None);
        }
        for end in (0..STATIC_POD.trim_ascii_end().len()).step_by(7) {
            assert_eq!(facts_from_json(&STATIC_POD[..end]), None);
        }
    }
}
