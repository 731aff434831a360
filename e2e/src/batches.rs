//! Batches of nodes that are not there: rows like those that an agent tells of a busy cluster, the same
//! for the same numbers.

use protocol::{
    Balance, Epoch, Header, NetworkClass, NodeUsage, PodNetwork, PodUsage, Previous, Reconcile,
    Row, Timestamp,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

const NAMESPACES: [&str; 12] = [
    "checkout",
    "payments",
    "search",
    "catalog",
    "identity",
    "shipping",
    "analytics",
    "default",
    "monitoring",
    "kube-system",
    "ingress",
    "batch",
];
const SERVICES: [&str; 10] = [
    "api",
    "worker",
    "frontend",
    "cache",
    "scheduler",
    "gateway",
    "importer",
    "mailer",
    "indexer",
    "proxy",
];
/// Letters of the suffixes that the API server draws.
const SUFFIX: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SOURCES: [&str; 7] = [
    "name=api",
    "cpu=kernel",
    "memory=kubelet",
    "network=kernel",
    "oom=kernel",
    "lifecycle=kernel",
    "io=kubelet",
];

/// A node of the cluster.
#[derive(Debug)]
pub struct FakeAgent {
    /// Its name.
    pub name: String,
    /// Of this start.
    pub epoch: Epoch,
    interval_us: i64,
    rng: StdRng,
    pods: Vec<PodUsage>,
}

impl FakeAgent {
    /// Node `number` with `pods` pods, its windows `interval_us` long.
    pub fn new(number: u64, pods: usize, interval_us: i64) -> Self {
        let mut rng = StdRng::seed_from_u64(number);
        let [third, fourth] = [number / 250 % 250, number % 250];
        let name = format!(
            "ip-10-{}-{third}-{fourth}.eu-central-1.compute.internal",
            number / 62_500
        );
        let epoch = Epoch(rng.random());
        let pods = (0..pods).map(|_| pod(&mut rng, &name, number));
        let mut pods: Vec<PodUsage> = pods.collect();
        // As an agent does before it encodes them.
        pods.sort_by(|left, right| left.pod_name.cmp(&right.pod_name));
        Self {
            name,
            epoch,
            interval_us,
            rng,
            pods,
        }
    }

    /// The header of batch `seq`, whose window ends at `end`.
    pub fn header(&self, seq: u64, end: Timestamp, previous: Option<Previous>) -> Header {
        Header {
            cluster: "production".to_owned(),
            node: self.name.clone(),
            boot_id: "5a2ab2a1-9d4a-4f0e-8f3c-3f1f5ab1c0de".to_owned(),
            epoch: self.epoch,
            seq,
            previous,
            window_start: end.plus_us(-self.interval_us),
            window_end: end,
        }
    }

    /// The rows of a window.
    pub fn rows(&mut self, end: Timestamp) -> Vec<Row> {
        let start = end.plus_us(-self.interval_us);
        let seconds = self.interval_us as f64 / 1e6;
        let (mut rows, mut networks) = (Vec::new(), Vec::new());
        for pod in &mut self.pods {
            live(pod, &mut self.rng, (start, end), seconds);
            rows.push(Row::PodUsage(pod.clone()));
            networks.extend(classes(pod).map(Row::PodNetwork));
        }
        rows.extend(networks);
        rows.push(Row::NodeUsage(NodeUsage {
            timestamp: end,
            window_start: start,
            window_end: end,
            cpus: Some(16),
            cpu_usage_cores: Some(4.25),
            pods: Some(self.pods.len() as i64),
            sources: vec!["cpu=proc".to_owned()],
            ..NodeUsage::default()
        }));
        let reconcile = balance(&rows, (start, end));
        rows.push(Row::Reconcile(reconcile));
        rows
    }
}

fn pod(rng: &mut StdRng, node: &str, number: u64) -> PodUsage {
    let namespace = NAMESPACES[rng.random_range(0..NAMESPACES.len())];
    let service = SERVICES[rng.random_range(0..SERVICES.len())];
    let deployment = format!("{namespace}-{service}");
    let hash = format!("{:09x}", rng.random::<u64>() >> 28 & 0xfff_fff_fff);
    let suffix: String = (0..5)
        .map(|_| char::from(SUFFIX[rng.random_range(0..SUFFIX.len())]))
        .collect();
    let replica_set = format!("{deployment}-{hash}");
    let memory = rng.random_range(20_i64..2_000) << 20;
    PodUsage {
        cluster_id: "production".to_owned(),
        node_name: node.to_owned(),
        ec2_instance_id: Some(format!("i-0{number:016x}")),
        pod_id: uid(rng),
        namespace: Some(namespace.to_owned()),
        owner: Some(format!("ReplicaSet/{replica_set}")),
        memory_usage_bytes: Some(memory & !0xfff),
        net_tx_bytes: Some(rng.random_range(0..1 << 36)),
        net_rx_bytes: Some(rng.random_range(0..1 << 36)),
        requests_cpu_millicores: Some([50, 100, 250, 500][rng.random_range(0..4)]),
        requests_memory_bytes: Some([128 << 20, 256 << 20, 1 << 30][rng.random_range(0..3)]),
        limits_memory_bytes: Some([256 << 20, 512 << 20, 2 << 30][rng.random_range(0..3)]),
        host_network: Some(false),
        qos: Some("Burstable".to_owned()),
        workload_kind: Some("ReplicaSet".to_owned()),
        workload: Some(replica_set.clone()),
        zone: Some("eu-central-1b".to_owned()),
        region: Some("eu-central-1".to_owned()),
        instance_type: Some("m6i.4xlarge".to_owned()),
        memory_peak_bytes: Some((memory + (memory >> 3)) & !0xfff),
        oom_kills: Some(0),
        restarts: Some(0),
        sources: SOURCES.map(str::to_owned).into(),
        cgroup_id: Some(rng.random_range(4_000..200_000)),
        pod_name: Some(format!("{replica_set}-{suffix}")),
        ..PodUsage::default()
    }
}

fn uid(rng: &mut StdRng) -> String {
    let bits = rng.random::<u128>();
    let part = |shift: u32, digits: u32| bits >> shift & ((1 << (4 * digits)) - 1);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 3),
        0x8000 | part(48, 3),
        part(0, 12)
    )
}

/// One window of a pod's life: most do little.
fn live(pod: &mut PodUsage, rng: &mut StdRng, (start, end): (Timestamp, Timestamp), seconds: f64) {
    let busy = [0.0005, 0.001, 0.002, 0.004, 0.02, 0.2, 1.5][rng.random_range(0..7)];
    let cpu_ns = (busy * seconds * 1e9 * rng.random_range(0.7..1.3)) as i64;
    let packets = (busy * seconds * 2_000.0 * rng.random_range(0.5..1.5)) as i64;
    let sent = packets * rng.random_range(80..900);
    let received = packets * rng.random_range(80..900);
    let cpu_seconds = cpu_ns as f64 / 1e9;
    (pod.timestamp, pod.window_start, pod.window_end) = (end, start, end);
    pod.cpu_seconds = Some(cpu_seconds);
    pod.cpu_usage_cores = Some(cpu_seconds / seconds);
    // Peaks are in slots of 20 ms, run time in microseconds.
    pod.cpu_peak_cores = Some((busy * rng.random_range(2.0..8.0) * 1e5_f64).round() / 1e5);
    pod.cpu_p99_cores = Some((busy * 1e3_f64).log2().round().exp2() / 1e3);
    pod.cpu_over_request_seconds = Some(if busy > 0.1 {
        0.1 * f64::from(rng.random_range(0..50))
    } else {
        0.0
    });
    pod.cpu_throttled_seconds = Some(0.0);
    pod.cpu_throttled_periods = Some(0);
    pod.cpu_burst_periods = Some(0);
    let memory = pod.memory_usage_bytes.unwrap_or(0) + (rng.random_range(-64_i64..64) << 12);
    pod.memory_usage_bytes = Some(memory);
    pod.memory_working_set_bytes = Some((memory / 10 * 9) & !0xfff);
    pod.memory_rss_bytes = Some((memory / 10 * 7) & !0xfff);
    pod.net_tx_bytes = pod.net_tx_bytes.map(|total| total + sent);
    pod.net_rx_bytes = pod.net_rx_bytes.map(|total| total + received);
    pod.net_tx_bytes_delta = Some(sent);
    pod.net_rx_bytes_delta = Some(received);
    pod.net_tx_packets_delta = Some(packets);
    pod.net_rx_packets_delta = Some(packets);
    pod.io_read_bytes_delta = Some(0);
    pod.io_write_bytes_delta = Some(if busy > 0.01 {
        rng.random_range(0..64) << 12
    } else {
        0
    });
}

/// Its traffic by class: within the cluster, and for some also beyond.
fn classes(pod: &PodUsage) -> impl Iterator<Item = PodNetwork> {
    let [tx, rx, tx_packets, rx_packets] = [
        pod.net_tx_bytes_delta,
        pod.net_rx_bytes_delta,
        pod.net_tx_packets_delta,
        pod.net_rx_packets_delta,
    ]
    .map(|figure| figure.unwrap_or(0));
    let beyond = if rx_packets > 100 { 4 } else { 0 };
    let row = move |class, share: i64, of: i64| PodNetwork {
        timestamp: pod.timestamp,
        pod_id: pod.pod_id.clone(),
        class,
        window_start: pod.window_start,
        window_end: pod.window_end,
        tx_bytes_delta: tx * share / of,
        tx_packets_delta: tx_packets * share / of,
        rx_bytes_delta: rx * share / of,
        rx_packets_delta: rx_packets * share / of,
        cgroup_id: pod.cgroup_id,
        namespace: pod.namespace.clone(),
        pod_name: pod.pod_name.clone(),
        origin: protocol::Origin::default(),
    };
    let near = row(NetworkClass::Private, 4, 4 + beyond);
    let far = (beyond > 0).then(|| row(NetworkClass::Internet, beyond, 4 + beyond));
    [Some(near), far].into_iter().flatten()
}

fn balance(rows: &[Row], (start, end): (Timestamp, Timestamp)) -> Reconcile {
    let mut reconcile = Reconcile {
        timestamp: end,
        window_start: start,
        window_end: end,
        ..Reconcile::default()
    };
    let add = |balance: &mut Balance, figure: Option<i64>| {
        balance.rows += figure.unwrap_or(0);
        balance.total = balance.rows;
    };
    for row in rows {
        match row {
            Row::PodUsage(usage) => {
                reconcile.rows_pod_usage += 1;
                let cpu_ns = usage
                    .cpu_seconds
                    .map(|seconds| (seconds * 1e9).round() as i64);
                add(&mut reconcile.cpu_ns, cpu_ns);
                add(&mut reconcile.net_tx_bytes, usage.net_tx_bytes_delta);
                add(&mut reconcile.net_tx_packets, usage.net_tx_packets_delta);
                add(&mut reconcile.net_rx_bytes, usage.net_rx_bytes_delta);
                add(&mut reconcile.net_rx_packets, usage.net_rx_packets_delta);
            }
            Row::PodNetwork(_) => reconcile.rows_pod_network += 1,
            Row::NodeUsage(_) => reconcile.rows_node_usage += 1,
            Row::Events(_) => reconcile.rows_events += 1,
            Row::Reconcile(_) => {}
        }
    }
    reconcile
}
