//! The demo's pods: a kubelet and an API server tell of them, and their containers are processes in
//! cgroups like those that a kubelet makes.
#![expect(
    clippy::print_stdout,
    reason = "a workload tells its parent what it did"
)]

use std::{
    io::{self, Read as _},
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use agent::run;
use anyhow::{Context as _, Result};
use e2e::{
    cgroup::TestCgroup,
    fakes::{Growth, Pod, Scene, Template},
    process::Running,
};

use crate::loads::burn;

/// CPU time of a burst: most of the 100 ms over which a peak is told.
const BURST: Duration = Duration::from_millis(80);
/// Between two bursts, and between two handfuls of datagrams.
const PAUSE: Duration = Duration::from_millis(250);
/// CPU time of a sender.
const SENDER_CPU: Duration = Duration::from_millis(10);
/// IP and UDP headers.
const HEADERS: usize = 28;
/// What the kubelet says that the node's interfaces send in a second, told for pods in its network.
const NODE_TX_BYTES: u64 = 10_000_000;
/// Between what the API server tells and what then happens on the node.
const LATENCY: Duration = Duration::from_millis(100);
/// Life of the short-lived pod's container.
const SHORT_LIFE: Duration = Duration::from_millis(300);
/// The others run for at least this long.
const LEAST_LIFE: Duration = Duration::from_millis(2500);
/// How often a wait looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is run as a pod: each container of its template runs the workload.
struct Plan {
    namespace: &'static str,
    name: &'static str,
    template: Template,
    workload: &'static [&'static str],
}

/// Two containers that compute in bursts, one sender, one sender of so many datagrams in the node's network.
const LONG: [Plan; 3] = [
    Plan {
        namespace: "shop",
        name: "web",
        template: Template::Web,
        workload: &["spin"],
    },
    Plan {
        namespace: "shop",
        name: "telemetry",
        template: Template::BestEffort,
        workload: &["send", "500", "50", "1000000"],
    },
    Plan {
        namespace: "kube-system",
        name: "node-proxy",
        template: Template::HostNetwork,
        workload: &["send", "700", "40", "200"],
    },
];
/// It lives for less than a window.
const SHORT: Plan = Plan {
    namespace: "batch",
    name: "short-job",
    template: Template::BestEffort,
    workload: &["send", "300", "20", "20"],
};
/// How many pods there are in all.
pub(crate) const PODS: usize = LONG.len() + 1;

/// What a pod truly did.
#[derive(Debug)]
pub(crate) struct PodTruth {
    /// Its uid.
    pub(crate) uid: String,
    /// `namespace/name`.
    pub(crate) name: String,
    /// By `cpu.stat` of the pod's cgroup.
    pub(crate) cpu_ns: u64,
    /// What its containers say that they sent, headers included.
    pub(crate) sent_bytes: i64,
    /// Shares the node's network.
    pub(crate) host_network: bool,
    /// Lived for less than a window.
    pub(crate) is_short: bool,
}

/// The pods' whole lives: they begin when told, and end at `end` or once one of `stops` says so.
pub(crate) fn live_and_die(
    scene: &Scene,
    begin: &mpsc::Receiver<()>,
    end: Instant,
    stops: &[Arc<AtomicBool>],
) -> Result<Vec<PodTruth>> {
    begin.recv().context("the agent wrote no window")?;
    let end = end.max(Instant::now() + LEAST_LIFE);
    let root = TestCgroup::new("node")?;
    let kubepods = root.child("kubepods")?;
    let burstable = kubepods.child("burstable")?;
    let live = LONG
        .iter()
        .map(|plan| LivePod::start(scene, &burstable, plan))
        .collect::<Result<Vec<_>>>()?;
    thread::sleep(SHORT_LIFE);
    let short = LivePod::start(scene, &burstable, &SHORT)?;
    thread::sleep(SHORT_LIFE);
    let short = short.end(scene)?;
    while Instant::now() < end && !stops.iter().any(|stop| stop.load(Ordering::Relaxed)) {
        thread::sleep(LOOK_EVERY);
    }
    let mut truths = Vec::new();
    for pod in live {
        truths.push(pod.end(scene)?);
    }
    truths.push(short);
    drop((burstable, kubepods, root));
    Ok(truths)
}

/// A pod that runs. Its fields are dropped in their order: processes, containers' cgroups, its own.
struct LivePod {
    running: Vec<Running>,
    containers: Vec<TestCgroup>,
    cgroup: TestCgroup,
    uid: String,
    plan: &'static Plan,
}

impl LivePod {
    /// The API server tells of it first, as it does.
    fn start(scene: &Scene, parent: &TestCgroup, plan: &'static Plan) -> Result<Self> {
        let mut pod = Pod::like(plan.template, plan.namespace, plan.name)?;
        if plan.template == Template::HostNetwork {
            pod.growth = Growth {
                tx_bytes: NODE_TX_BYTES,
                rx_bytes: NODE_TX_BYTES,
                ..pod.growth
            };
        }
        let ids = container_ids(&pod)?;
        let uid = pod.uid.clone();
        scene.add_fresh(pod);
        thread::sleep(LATENCY);
        let cgroup = parent.child(&format!("pod{uid}"))?;
        let containers = ids
            .iter()
            .map(|id| cgroup.child(id))
            .collect::<Result<Vec<_>>>()?;
        let (workload, arguments) = plan.workload.split_first().context("no workload")?;
        let running = containers
            .iter()
            .map(|container| Running::start(container, None, workload, arguments))
            .collect::<Result<_>>()?;
        Ok(Self {
            running,
            containers,
            cgroup,
            uid,
            plan,
        })
    }

    /// Deletes it in the API, then ends what runs and removes its cgroups.
    fn end(self, scene: &Scene) -> Result<PodTruth> {
        scene.remove(&self.uid);
        thread::sleep(LATENCY);
        let mut sent_bytes = 0;
        for running in self.running {
            let said = running.finish()?;
            sent_bytes += said.parse::<i64>().context("a workload said no number")?;
        }
        let truth = PodTruth {
            name: format!("{}/{}", self.plan.namespace, self.plan.name),
            cpu_ns: self.cgroup.usage_ns()?,
            sent_bytes,
            host_network: self.plan.template == Template::HostNetwork,
            is_short: self.plan.name == SHORT.name,
            uid: self.uid,
        };
        drop(self.containers);
        drop(self.cgroup);
        Ok(truth)
    }
}

fn container_ids(pod: &Pod) -> Result<Vec<String>> {
    let object = pod.object.as_ref().context("a pod without an object")?;
    let statuses = object["status"]["containerStatuses"].as_array();
    let names = statuses
        .into_iter()
        .flatten()
        .filter_map(|status| status["name"].as_str());
    let ids = names.filter_map(|name| pod.container_id(name));
    Ok(ids.map(str::to_owned).collect())
}

/// Set at the end of the standard input. Ctrl-C on a terminal reaches workloads too; it is left to the demo
/// to end them, so that they can tell what they did.
fn end_of_input() -> Result<Arc<AtomicBool>> {
    run::stop_flag()?;
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    thread::spawn(move || {
        let read = io::stdin().read_to_end(&mut Vec::new());
        ended.store(true, Ordering::Relaxed);
        read
    });
    Ok(over)
}

/// Computes in bursts; says that it sent nothing.
pub(crate) fn spin(_: &[String]) -> Result<()> {
    let over = end_of_input()?;
    while !over.load(Ordering::Relaxed) {
        burn(BURST);
        thread::sleep(PAUSE);
    }
    println!("0");
    Ok(())
}

/// Sends itself datagrams: their size, how many at a time, how many at most. Says how many bytes that were.
pub(crate) fn send(arguments: &[String]) -> Result<()> {
    let over = end_of_input()?;
    let numbers: Vec<usize> = arguments
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    let &[size, at_once, most] = numbers.as_slice() else {
        anyhow::bail!("a sender needs three numbers");
    };
    burn(SENDER_CPU);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    let mut datagram = vec![0; size];
    let mut sent = 0;
    loop {
        let next = (sent + at_once).min(most);
        for _ in sent..next {
            socket.send_to(&datagram, address)?;
            socket.recv(&mut datagram)?;
        }
        sent = next;
        if over.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(PAUSE);
    }
    println!("{}", sent * (size + HEADERS));
    Ok(())
}
