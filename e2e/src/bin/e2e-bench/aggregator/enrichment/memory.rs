//! What it takes to keep the pods of a large cluster, and what a new list of them takes on top; beside a store that keeps
//! whole objects, as the usual reflector does. Each in a process of its own.

use std::{collections::HashMap, process::Command, sync::Arc};

use aggregator::enrich::{Keep, Kind, Objects, Settings};
use anyhow::{Context as _, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};

use super::{
    super::{Args, sustained::memory},
    cluster::Cluster,
};
use crate::numbers::{mib, rounded};

/// Of one store.
#[derive(Deserialize, Serialize)]
pub(super) struct Memory {
    pub(super) pods: usize,
    /// With all of them.
    pub(super) steady_mib: f64,
    /// The most while they are listed anew.
    pub(super) relist_mib: f64,
}

/// Whose memory it is.
#[derive(Clone, Copy)]
pub(super) enum Store {
    /// The aggregator's.
    Objects,
    /// Objects as they are, by namespace and name. A new list is gathered beside the old one. All pods would take more memory
    /// than most machines have, so that it gets few of them.
    Reflector,
}

/// One node of so many is enough for the reflector.
const FEWER: usize = 20;

impl Store {
    const fn part(self) -> &'static str {
        match self {
            Self::Objects => "enrichment-objects",
            Self::Reflector => "enrichment-reflector",
        }
    }
}

/// Measures in a process of its own.
pub(super) fn elsewhere(args: &Args, store: Store) -> Result<Memory> {
    let nodes = match store {
        Store::Objects => args.nodes,
        Store::Reflector => args.nodes.div_ceil(FEWER),
    };
    let (nodes, pods) = (nodes.to_string(), args.pods.to_string());
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["aggregator", "--json", "--only", store.part()]);
    command.args(["--nodes", &nodes, "--pods", &pods]);
    if args.plugin {
        command.arg("--plugin");
    }
    let output = command.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {errors}", store.part());
    serde_json::from_slice(&output.stdout).context("what the other process says")
}

/// Measures in this process.
pub(super) fn here(args: &Args, store: Store) -> Result<Memory> {
    aggregator::memory::give_back(1);
    let cluster = Cluster::new(args, args.plugin)?;
    match store {
        Store::Objects => {
            let objects = Objects::new(Settings::default());
            steps(args, || list(&objects, &cluster))
        }
        Store::Reflector => {
            let mut pods = HashMap::new();
            steps(args, || reflect(&mut pods, &cluster))
        }
    }
}

fn steps(args: &Args, mut list: impl FnMut() -> Result<()>) -> Result<Memory> {
    let process = std::process::id();
    let before = memory(process, "VmRSS:")?;
    list()?;
    let steady = memory(process, "VmRSS:")?;
    // From here on the greatest size is the one of now.
    std::fs::write("/proc/self/clear_refs", "5")?;
    list()?;
    let most = memory(process, "VmHWM:")?;
    let mib = |bytes: u64| rounded(mib(bytes.saturating_sub(before)));
    Ok(Memory {
        pods: args.nodes * args.pods,
        steady_mib: mib(steady),
        relist_mib: mib(most),
    })
}

/// As watches do.
pub(super) fn list(objects: &Objects, cluster: &Cluster) -> Result<()> {
    let put = |kind| move |object: &str| objects.put(kind, object).map_err(|odd| anyhow!("{odd}"));
    objects.begin(Kind::Nodes);
    cluster.nodes(put(Kind::Nodes))?;
    objects.end(Kind::Nodes);
    objects.begin(Kind::ReplicaSets);
    cluster.replica_sets(put(Kind::ReplicaSets))?;
    objects.end(Kind::ReplicaSets);
    objects.begin(Kind::Pods);
    cluster.pods(put(Kind::Pods))?;
    objects.end(Kind::Pods);
    Ok(())
}

type Pods = HashMap<(String, String), Arc<Pod>>;

fn reflect(pods: &mut Pods, cluster: &Cluster) -> Result<()> {
    let mut listed = Pods::new();
    cluster.pods(|object| {
        let pod: Pod = serde_json::from_str(object)?;
        let name = pod.metadata.name.clone().unwrap_or_default();
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        listed.insert((namespace, name), Arc::new(pod));
        Ok(())
    })?;
    *pods = listed;
    Ok(())
}
