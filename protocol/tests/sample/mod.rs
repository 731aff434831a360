//! What a node of a cluster says of one window: names, sizes and loads as they are found there, drawn
//! at random but the same for the same seed.

use protocol::{
    Balance, Epoch, Header, NetworkClass, NodeUsage, PodNetwork, PodUsage, Reconcile, Row,
    Timestamp,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Length of a window on the boot clock, which is never exactly half a minute.
const LENGTH_NS: u64 = 30_000_412_337;
const PAGE: i64 = 4096;

/// A header and its rows.
pub struct Node {
    random: StdRng,
    pub header: Header,
    pub rows: Vec<Row>,
}

impl Node {
    /// A node with this many pods.
    pub fn new(seed: u64, pods: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let end = Timestamp {
            unix_us: 1_760_000_000_000_000 + random.random_range(0..30_000_000),
        };
        let header = Header {
            cluster: "production-eu".to_owned(),
            node: "ip-10-12-41-7.eu-central-1.compute.internal".to_owned(),
            boot_id: uuid(&mut random),
            epoch: Epoch(random.random()),
            seq: 4711,
            previous: None,
            window_start: end.plus_us(-30_000_412),
            window_end: end,
        };
        let mut node = Self {
            random,
            header,
            rows: Vec::new(),
        };
        node.fill(pods);
        node
    }

    fn fill(&mut self, pods: usize) {
        while self.rows.len() < pods {
            let replicas = self.random.random_range(1..4).min(pods - self.rows.len());
            self.workload(replicas);
        }
        let usages = self.rows.clone();
        for usage in &usages {
            if let Row::PodUsage(usage) = usage {
                self.traffic(usage);
            }
        }
        let networks = self.rows.len() - usages.len();
        let (pods, networks) = (pods as i64, networks as i64);
        let node = self.node(pods);
        self.rows.push(Row::NodeUsage(node));
        let reconcile = self.reconcile(pods, networks);
        self.rows.push(Row::Reconcile(reconcile));
    }

    /// Pods of one owner on this node.
    fn workload(&mut self, replicas: usize) {
        let random = &mut self.random;
        let first = pick(
            random,
            &[
                "checkout", "billing", "search", "ingest", "auth", "report", "catalog",
            ],
        );
        let second = pick(
            random,
            &["api", "worker", "cache", "gateway", "indexer", "sync"],
        );
        let workload = format!("{first}-{second}");
        let namespace = pick(
            random,
            &["shop", "platform", "data", "monitoring", "kube-system"],
        );
        let hash = letters(random, 10);
        let request = i64::from(pick(random, &[50, 100, 250, 500, 1000]));
        let memory = i64::from(pick(random, &[64, 128, 256, 512, 1024])) << 20;
        for _ in 0..replicas {
            let suffix = letters(random, 5);
            let mut usage = PodUsage {
                pod_id: uuid(random),
                namespace: Some(namespace.to_owned()),
                owner: Some(format!("ReplicaSet/{workload}-{hash}")),
                pod_name: Some(format!("{workload}-{hash}-{suffix}")),
                workload: Some(workload.clone()),
                workload_kind: Some("Deployment".to_owned()),
                qos: Some("Burstable".to_owned()),
                host_network: Some(false),
                requests_cpu_millicores: Some(request),
                requests_memory_bytes: Some(memory),
                limits_memory_bytes: Some(memory * 2),
                ..PodUsage::default()
            };
            figures(random, &mut usage, memory);
            place(&self.header, &mut usage);
            usage.cgroup_id =
                Some(20_000 + 37 * self.rows.len() as i64 + random.random_range(0..30));
            self.rows.push(Row::PodUsage(usage));
        }
    }

    /// Most pods speak within one class of peers, some in two.
    fn traffic(&mut self, usage: &PodUsage) {
        let totals = [
            usage.net_tx_bytes_delta,
            usage.net_tx_packets_delta,
            usage.net_rx_bytes_delta,
            usage.net_rx_packets_delta,
        ]
        .map(Option::unwrap_or_default);
        if totals == [0; 4] {
            return;
        }
        let is_split = self.random.random_ratio(1, 4);
        let private = totals.map(|total| if is_split { total / 3 } else { 0 });
        for (class, traffic) in [
            (NetworkClass::Node, private),
            (
                NetworkClass::Private,
                std::array::from_fn(|at| totals[at] - private[at]),
            ),
        ] {
            if traffic != [0; 4] {
                self.rows.push(Row::PodNetwork(PodNetwork {
                    timestamp: usage.timestamp,
                    pod_id: usage.pod_id.clone(),
                    class,
                    window_start: usage.window_start,
                    window_end: usage.window_end,
                    tx_bytes_delta: traffic[0],
                    tx_packets_delta: traffic[1],
                    rx_bytes_delta: traffic[2],
                    rx_packets_delta: traffic[3],
                    cgroup_id: usage.cgroup_id,
                    namespace: usage.namespace.clone(),
                    pod_name: usage.pod_name.clone(),
                    origin: protocol::Origin::default(),
                }));
            }
        }
    }

    fn node(&mut self, pods: i64) -> NodeUsage {
        let random = &mut self.random;
        let mut cpu = || Some(random.random_range(0..48_000_i64) as f64 / 100.0);
        NodeUsage {
            timestamp: self.header.window_end,
            window_start: self.header.window_start,
            window_end: self.header.window_end,
            ec2_instance_id: Some("i-0abc123def4567890".to_owned()),
            instance_type: Some("m6i.4xlarge".to_owned()),
            zone: Some("eu-central-1a".to_owned()),
            region: Some("eu-central-1".to_owned()),
            cpus: Some(16),
            cpu_usage_cores: Some(7.123_456_789_123),
            cpu_user_seconds: cpu(),
            cpu_system_seconds: cpu(),
            cpu_idle_seconds: cpu(),
            load_1: Some(3.25),
            memory_total_bytes: Some(66_571_993_088),
            memory_available_bytes: Some(40_123_551_744),
            nic_tx_bytes: Some(123_456_789),
            nic_rx_bytes: Some(987_654_321),
            nics: Some(vec!["ens5".to_owned()]),
            pods: Some(pods),
            uptime_seconds: Some(812_345.67),
            sources: vec!["proc=active".to_owned()],
            ..NodeUsage::default()
        }
    }

    fn reconcile(&mut self, pods: i64, networks: i64) -> Reconcile {
        let random = &mut self.random;
        let mut balance = || {
            let rows = random.random_range(1_000_000..900_000_000_000);
            Balance {
                total: rows + 412,
                rows,
                unattributed: 412,
                in_flight: 0,
            }
        };
        Reconcile {
            timestamp: self.header.window_end,
            window_start: self.header.window_start,
            window_end: self.header.window_end,
            rows_pod_usage: pods,
            rows_pod_network: networks,
            rows_node_usage: 1,
            cpu_ns: balance(),
            net_tx_bytes: balance(),
            net_tx_packets: balance(),
            net_rx_bytes: balance(),
            net_rx_packets: balance(),
            losses: vec!["ring_full=0".to_owned(), "map_full=0".to_owned()],
            sources: vec!["cpu=kernel".to_owned(), "network=kernel".to_owned()],
            proc_cpu_ns: Some(212_410_000_000),
            kubelet_seconds: Some(29.871_223_412),
            ..Reconcile::default()
        }
    }
}

fn place(header: &Header, usage: &mut PodUsage) {
    usage.timestamp = header.window_end;
    usage.window_start = header.window_start;
    usage.window_end = header.window_end;
    usage.ec2_instance_id = Some("i-0abc123def4567890".to_owned());
    usage.instance_type = Some("m6i.4xlarge".to_owned());
    usage.zone = Some("eu-central-1a".to_owned());
    usage.region = Some("eu-central-1".to_owned());
    usage.sources = [
        "name=api",
        "instance=imds",
        "cpu=kernel",
        "memory=kubelet",
        "network_total=kubelet",
        "network=kernel",
        "io=cgroup",
        "oom=kernel",
        "lifecycle=kernel",
    ]
    .map(str::to_owned)
    .to_vec();
}

/// Most pods are nearly idle, and few are busy.
fn figures(random: &mut StdRng, usage: &mut PodUsage, memory: i64) {
    let load = skewed(random);
    let run_ns = (3e9 * load) as u64 + random.random_range(0..5_000_000);
    let peak_ns = (run_ns / 300 * random.random_range(2..12)).min(1_600_000_000);
    usage.cpu_seconds = Some(run_ns as f64 / 1e9);
    usage.cpu_usage_cores = Some(run_ns as f64 / 1e9 / (LENGTH_NS as f64 / 1e9));
    usage.cpu_peak_cores = Some((peak_ns + random.random_range(0..99_999)) as f64 / 1e8);
    usage.cpu_p99_cores = Some((peak_ns / 2 + random.random_range(0..99_999)) as f64 / 1e8);
    let over = if load > 0.5 {
        random.random_range(0..900)
    } else {
        0
    };
    usage.cpu_over_request_seconds = Some((over * 20_000_000_u64) as f64 / 1e9);
    let pages = (memory as f64 * random.random_range(0.2..1.1)) as i64 / PAGE;
    let file = (pages as f64 * random.random_range(0.0..0.3)) as i64;
    usage.memory_usage_bytes = Some(pages * PAGE);
    usage.memory_working_set_bytes = Some((pages - file / 2) * PAGE);
    usage.memory_rss_bytes = Some((pages - file) * PAGE);
    usage.memory_peak_bytes = Some((pages + random.random_range(0..pages / 8 + 1)) * PAGE);
    usage.swap_usage_bytes = Some(0);
    usage.oom_kills = Some(0);
    usage.restarts = Some(0);
    network(random, usage, load);
    let io = if random.random_ratio(1, 5) {
        random.random_range(1..400) * PAGE
    } else {
        0
    };
    usage.io_read_bytes_delta = Some(0);
    usage.io_write_bytes_delta = Some(io);
    let mut pressure = |most: f64| {
        let us = (load * most * random.random_range(0.0..1.0)) as u64;
        Some((us * 1000) as f64 / 1e9)
    };
    usage.psi_cpu_some_seconds = pressure(90_000.0);
    usage.psi_cpu_full_seconds = pressure(50_000.0);
    usage.psi_memory_some_seconds = Some(0.0);
    usage.psi_memory_full_seconds = Some(0.0);
    usage.psi_io_some_seconds = pressure(900.0);
    usage.psi_io_full_seconds = pressure(500.0);
}

fn network(random: &mut StdRng, usage: &mut PodUsage, load: f64) {
    let packets = (20_000.0 * load) as i64;
    let mut bytes = |packets: i64| {
        packets * random.random_range(80..700) + random.random_range(0..80) * packets.min(1)
    };
    let (tx, rx) = (bytes(packets), bytes(packets + packets / 7));
    usage.net_tx_packets_delta = Some(packets);
    usage.net_rx_packets_delta = Some(packets + packets / 7);
    usage.net_tx_bytes_delta = Some(tx);
    usage.net_rx_bytes_delta = Some(rx);
    let windows = random.random_range(100..20_000);
    usage.net_tx_bytes = Some(tx * windows + random.random_range(0..1000));
    usage.net_rx_bytes = Some(rx * windows + random.random_range(0..1000));
}

/// From 0 to about 1, mostly near 0.
fn skewed(random: &mut StdRng) -> f64 {
    random.random_range(0.0..1.0_f64).powi(5)
}

fn pick<T: Copy>(random: &mut StdRng, from: &[T]) -> T {
    from[random.random_range(0..from.len())]
}

fn letters(random: &mut StdRng, count: usize) -> String {
    let letters = b"bcdfghjklmnpqrstvwxz2456789";
    (0..count)
        .map(|_| char::from(pick(random, letters)))
        .collect()
}

fn uuid(random: &mut StdRng) -> String {
    let digits = format!("{:032x}", random.random::<u128>());
    let part = |range: std::ops::Range<usize>| &digits[range];
    [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ]
    .join("-")
}
