//! A node to measure on: real cgroups that run and talk a little, and fakes that tell of the same pods.

use std::{
    io::BufRead as _,
    net::UdpSocket,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use e2e::{
    cgroup::TestCgroup,
    fakes::Scene,
    node::FakeNode,
    process::{Running, Workload},
};

use super::{Args, process::agent};

/// A process that goes through the containers.
pub(super) const VISITOR: Workload = ("visitor", visitor);

/// Removed when dropped, containers first.
pub(super) struct Stage {
    containers: Vec<TestCgroup>,
    _pods: Vec<TestCgroup>,
    home: TestCgroup,
    pub(super) node: FakeNode,
}

impl Stage {
    pub(super) fn new(pods: usize) -> Result<Self> {
        let node = FakeNode::new(Scene::of_size(pods)?)?;
        let home = TestCgroup::new("bench")?;
        let kubepods = home.child("kubepods")?;
        let burstable = kubepods.child("burstable")?;
        let (mut parents, mut containers) = (vec![kubepods], Vec::new());
        for pod in node.scene.pods() {
            let cgroup = burstable.child(&format!("pod{}", pod.uid))?;
            for container in ["httpd", "side"] {
                let id = pod
                    .container_id(container)
                    .context("a pod without its containers")?;
                containers.push(cgroup.child(id)?);
            }
            parents.push(cgroup);
        }
        parents.insert(1, burstable);
        parents.reverse();
        Ok(Self {
            containers,
            _pods: parents,
            home,
            node,
        })
    }

    /// The agent's command, all sources on, the settings by their variables.
    pub(super) fn agent(&self, interval: Duration, status: &str) -> Result<Command> {
        let node = &self.node;
        let mut command = Command::new(agent()?);
        command
            .arg("run")
            .env_clear()
            .env("NODE_NAME", node.scene.node_name())
            .env("CLUSTER_NAME", "bench")
            .env(
                "SCRAPE_INTERVAL",
                humantime::format_duration(interval)
                    .to_string()
                    .replace(' ', ""),
            )
            .env("MAX_CONSECUTIVE_FAILURES", "0")
            .env("KUBELET_ENDPOINT", node.kubelet.url())
            .env("PODLEDGER_KUBELET_CA_FILE", node.access.ca_file())
            .env("PODLEDGER_KUBELET_TOKEN_FILE", node.access.token_file())
            .env("PODLEDGER_KUBERNETES_API_SERVER", node.api.url())
            .env("PODLEDGER_KUBERNETES_CA_FILE", node.access.ca_file())
            .env("PODLEDGER_KUBERNETES_TOKEN_FILE", node.access.token_file())
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", node.imds.url())
            .env("PODLEDGER_STATUS_LISTEN", status)
            .env("PODLEDGER_KERNEL_PINS", "off")
            .env("PODLEDGER_AGENT_STATE", "off")
            .env("PODLEDGER_AGENT_OUTPUT", "json")
            .env("LOG_LEVEL", "warn");
        Ok(command)
    }

    /// The plain collector's command.
    pub(super) fn collector(&self, args: &Args) -> Option<Command> {
        let (python, script) = args.python.as_ref().zip(args.collector.as_ref())?;
        let mut command = Command::new(python);
        command
            .arg(script)
            .args(["--push", "none", "--imds", &self.node.imds.url()])
            .arg("--token-file")
            .arg(self.node.access.token_file())
            .arg("--ca-file")
            .arg(self.node.access.ca_file())
            .env("KUBELET_ENDPOINT", self.node.kubelet.url())
            .env("SCRAPE_INTERVAL", args.interval.as_secs_f64().to_string())
            .env("NODE_NAME", self.node.scene.node_name());
        Some(command)
    }

    /// Every container runs for a moment and sends a datagram.
    pub(super) fn visit(&self) -> Result<()> {
        let mut visitor = Running::prepare(&self.home, None, VISITOR.0, &[])?;
        visitor.go()?;
        for container in &self.containers {
            container.add(visitor.id())?;
            visitor.tell("here")?;
            visitor.line()?;
        }
        self.home.add(visitor.id())?;
        visitor.finish().map(drop)
    }
}

/// At each line of input runs for 200 µs and sends a datagram from a new socket.
fn visitor(_: &[String]) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        line?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(&[0; 64], socket.local_addr()?)?;
        socket.recv(&mut [0; 64])?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(200) {}
        crate::print("done")?;
    }
    Ok(())
}
