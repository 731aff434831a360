//! Objects of a cluster as its API server writes them: recorded ones with other names.

use std::collections::HashSet;

use aggregator::generate::FakeAgent;
use anyhow::{Context as _, Result};
use protocol::{PodUsage, Row, Timestamp};
use serde_json::{Value, json};

use super::super::Args;

const RECORDED: &str = include_str!("../../../../../data/api/pods-node1.json");
/// Of a Deployment, with two containers, an init container, and all the fields that somebody manages.
const POD: &str = "web-768c4ccb68-mk5g4";
/// Pods of a `ReplicaSet`, about.
const REPLICAS: usize = 4;
/// Workloads that pods are drawn from.
const WORKLOADS: usize = 120;
/// Stands around names in the recorded pod.
const MARK: &str = "@@";

/// See the module.
pub(super) struct Cluster {
    /// The recorded pod, in turn as it is and what is another in each.
    parts: Vec<String>,
    nodes: usize,
    pods: usize,
}

/// Names of a pod.
struct Names {
    row: PodUsage,
    number: usize,
    /// Draws what pods of one `ReplicaSet` have in common.
    set: u64,
}

impl Cluster {
    /// With `has_plugin`, pods carry what a network plugin writes: an id and two addresses, the same in no two of them.
    pub(super) fn new(args: &Args, has_plugin: bool) -> Result<Self> {
        let list: Value = serde_json::from_str(RECORDED)?;
        let items = list["items"].as_array().context("no list")?;
        let recorded = items.iter().find(|pod| pod["metadata"]["name"] == POD);
        let recorded = recorded.context("the recorded pod is missing")?;
        let text = marked(recorded.clone(), has_plugin).to_string();
        Ok(Self {
            parts: text.split(MARK).map(str::to_owned).collect(),
            nodes: args.nodes,
            pods: args.pods,
        })
    }

    /// Tells every pod, those that the agents' rows are of.
    pub(super) fn pods(&self, mut tell: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let mut text = String::new();
        self.each(|names| {
            text.clear();
            for (at, part) in self.parts.iter().enumerate() {
                match at % 2 {
                    0 => text.push_str(part),
                    _ => text.push_str(&names.of(part)),
                }
            }
            tell(&text)
        })
    }

    /// Tells every node.
    pub(super) fn nodes(&self, mut tell: impl FnMut(&str) -> Result<()>) -> Result<()> {
        for node in 0..self.nodes {
            let agent = FakeAgent::new(node as u64, 0, 30_000_000);
            let labels = json!({
                "topology.kubernetes.io/region": "eu-central-1",
                "node.kubernetes.io/instance-type": "m6i.4xlarge",
            });
            let provider = format!("aws:///eu-central-1b/i-0{node:016x}");
            let metadata = json!({"name": agent.name, "labels": labels});
            tell(&json!({"metadata": metadata, "spec": {"providerID": provider}}).to_string())?;
        }
        Ok(())
    }

    /// Tells every `ReplicaSet`.
    pub(super) fn replica_sets(&self, mut tell: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let mut told = HashSet::new();
        self.each(|names| {
            let uid = names.of("set-uid");
            if !told.insert(uid.clone()) {
                return Ok(());
            }
            let owner = json!({"kind": "Deployment", "name": names.of("workload"), "uid": uid, "controller": true});
            let metadata = json!({"uid": uid, "name": names.of("set"), "ownerReferences": [owner]});
            tell(&json!({ "metadata": metadata }).to_string())
        })
    }

    fn each(&self, mut tell: impl FnMut(&Names) -> Result<()>) -> Result<()> {
        let replica_sets = (self.nodes * self.pods).div_ceil(WORKLOADS * REPLICAS);
        let mut number = 0;
        for node in 0..self.nodes {
            let mut agent = FakeAgent::new(node as u64, self.pods, 30_000_000);
            for row in agent.rows(Timestamp::default()) {
                if let Row::PodUsage(row) = row {
                    let workload = row.workload.as_deref().unwrap_or_default();
                    let set = hash(&format!("{workload} {}", number % replica_sets));
                    tell(&Names { row, number, set })?;
                    number += 1;
                }
            }
        }
        Ok(())
    }
}

/// The pod with marks where each has something else.
fn marked(mut pod: Value, has_plugin: bool) -> Value {
    let metadata = &mut pod["metadata"];
    for name in ["uid", "name", "namespace"] {
        metadata[name] = json!(format!("{MARK}{name}{MARK}"));
    }
    metadata["labels"] = json!({
        "app.kubernetes.io/name": "@@workload@@",
        "app.kubernetes.io/instance": "@@namespace@@-@@workload@@",
        "app.kubernetes.io/version": "@@version@@",
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": "@@workload@@-@@version@@",
        "pod-template-hash": "@@template@@",
        "team": "team-@@namespace@@",
    });
    metadata["annotations"] = json!({
        "checksum/config": "@@checksum@@",
        "kubectl.kubernetes.io/restartedAt": "@@restarted@@",
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": "@@port@@",
        "prometheus.io/scrape": "true",
    });
    if has_plugin {
        let own = &mut metadata["annotations"];
        own["cni.projectcalico.org/containerID"] = json!("@@container@@");
        own["cni.projectcalico.org/podIP"] = json!("@@address@@");
        own["cni.projectcalico.org/podIPs"] = json!("@@address@@");
    }
    let owner = &mut metadata["ownerReferences"][0];
    owner["name"] = json!("@@set@@");
    owner["uid"] = json!("@@set-uid@@");
    pod["spec"]["nodeName"] = json!("@@node@@");
    pod
}

impl Names {
    fn of(&self, mark: &str) -> String {
        let Self { row, number, set } = self;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match mark {
            "uid" => row.pod_id.clone(),
            "name" => text(&row.pod_name),
            "namespace" => text(&row.namespace),
            "workload" => text(&row.workload),
            "node" => row.node_name.clone(),
            "version" => format!("1.{}.{}", set % 17, set % 5),
            "template" => format!("{:010x}", set >> 24),
            "set" => format!("{}-{:010x}", text(&row.workload), set >> 24),
            "set-uid" => format!(
                "{:08x}-0000-4000-8000-{:012x}",
                set >> 32,
                set & 0xffff_ffff
            ),
            "checksum" => format!("{set:016x}").repeat(4),
            "restarted" => format!("2026-11-{:02}T{:02}:14:07+01:00", 1 + set % 28, set % 24),
            "port" => (8_000 + set % 9).to_string(),
            "container" => format!("{:016x}", hash(&row.pod_id)).repeat(4),
            "address" => format!(
                "10.{}.{}.{}/32",
                number >> 16,
                number >> 8 & 255,
                number & 255
            ),
            _ => String::new(),
        }
    }
}

/// A number that is drawn by a text.
fn hash(text: &str) -> u64 {
    let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, add);
    hash ^ hash >> 29
}
