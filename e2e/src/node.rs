//! The whole agent of a node, from kernel, kubelet, API server and metadata service to its rows, in this
//! process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use agent::{
    host::{Host, Settings as HostSettings},
    imds,
    kernel::Options,
    kubelet, pods,
    run::{self, Settings},
};
use anyhow::{Context as _, Result};
use protocol::{NodeUsage, PodUsage, Reconcile, Row};

use crate::{
    fakes::{Access, ApiServer, HttpTokens, Imds, Instance, Kubelet, Scene, Security},
    harness::say,
};

/// Windows of these tests.
pub const INTERVAL: Duration = Duration::from_millis(500);

/// A node whose kubelet, API server and metadata service tell of one scene.
pub struct FakeNode {
    /// What all of them tell of.
    pub scene: Scene,
    /// Token and authority.
    pub access: Access,
    /// The kubelet.
    pub kubelet: Kubelet,
    /// The API server.
    pub api: ApiServer,
    /// The metadata service.
    pub imds: Imds,
}

impl FakeNode {
    /// Starts all of them.
    pub fn new(scene: Scene) -> Result<Self> {
        let access = Access::new(&scene.node_name())?;
        Ok(Self {
            kubelet: Kubelet::start(&scene, &access)?,
            api: ApiServer::start(&scene, &access, Security::Tls)?,
            imds: Imds::start(Instance::default(), HttpTokens::Required)?,
            scene,
            access,
        })
    }

    /// An agent that asks them.
    pub fn settings(&self) -> Settings {
        Settings {
            interval: INTERVAL,
            jitter_percent: 20,
            max_consecutive_failures: 0,
            kubelet: Some(kubelet::Settings {
                endpoint: self.kubelet.url(),
                server_name: None,
                token_file: Some(self.access.token_file()),
                ca_file: Some(self.access.ca_file()),
                insecure: false,
                timeout: Duration::from_secs(2),
                max_body_bytes: 16 << 20,
                debug: false,
            }),
            kubernetes: Some(pods::Settings {
                api_server: Some(self.api.url()),
                token_file: Some(self.access.token_file()),
                ca_file: Some(self.access.ca_file()),
                insecure: false,
                node_name: self.scene.node_name(),
                silence: Duration::from_secs(3),
                debug: false,
            }),
            imds: Some(imds::Settings {
                endpoint: self.imds.url(),
                token_ttl: imds::DEFAULT_TOKEN_TTL,
                force_v1: false,
                timeout: Duration::from_secs(2),
                debug: false,
            }),
            region: None,
            status: None,
            per_pod_metrics: false,
            push: None,
            debug: false,
        }
    }
}

/// The agent of a node, which leaves nothing behind.
pub fn host(node_name: &str) -> Result<Host> {
    let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
    let mut kernel = Options::new(root);
    kernel.pins = None;
    let mut settings = HostSettings::new(kernel, None);
    settings.by_pods = true;
    settings.node_name = Some(node_name.to_owned());
    settings.cluster_name = Some("test".to_owned());
    Ok(Host::start(settings, say)?)
}

/// Runs the agent until `enough` of its windows says so, or for `patience`; all windows.
pub fn run_until(
    settings: Settings,
    patience: Duration,
    mut enough: impl FnMut(&[Row]) -> bool,
) -> Result<Vec<Vec<Row>>> {
    let mut host = host("node-1")?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut windows = Vec::new();
    run::on_node(
        &mut host,
        settings,
        None,
        (Some(Instant::now() + patience), &stop),
        |rows| {
            if enough(rows) {
                stop.store(true, Ordering::Relaxed);
            }
            windows.push(rows.to_vec());
            Ok(())
        },
    )?;
    Ok(windows)
}

/// Rows of workloads.
pub fn usages(rows: &[Row]) -> impl Iterator<Item = &PodUsage> {
    rows.iter().filter_map(|row| match row {
        Row::PodUsage(usage) => Some(usage),
        _ => None,
    })
}

/// Rows of pods, without those of the host's services.
pub fn pod_rows(rows: &[Row]) -> impl Iterator<Item = &PodUsage> {
    usages(rows).filter(|usage| {
        usage
            .sources
            .iter()
            .any(|source| source.starts_with("name="))
    })
}

/// The row of the pod of this name.
pub fn pod<'a>(rows: &'a [Row], name: &str) -> Option<&'a PodUsage> {
    pod_rows(rows).find(|usage| usage.pod_name.as_deref() == Some(name))
}

/// The row of the node.
pub fn node_row(rows: &[Row]) -> Result<&NodeUsage> {
    let node = rows.iter().find_map(|row| match row {
        Row::NodeUsage(node) => Some(node),
        _ => None,
    });
    node.context("a window without a row of the node")
}

/// The window's balance.
pub fn balance(rows: &[Row]) -> Result<&Reconcile> {
    match rows.last() {
        Some(Row::Reconcile(balance)) => Ok(balance),
        other => anyhow::bail!("the last row of a window is {other:?}"),
    }
}

/// Whether a row says that a figure comes from there.
pub fn comes_from(usage: &PodUsage, source: &str) -> bool {
    usage.sources.iter().any(|found| found == source)
}
