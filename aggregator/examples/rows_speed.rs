//! Speed of making files: from compressed batches of many nodes to Parquet, in rows per second of CPU
//! time of one core. `rows_speed [nodes] [windows] [rows of a commit] [passes]`.

use std::{error::Error, fs, sync::Arc};

use aggregator::{
    held::{Held, Sender},
    lake::{
        encode::Wanted,
        rows::{Input, Inputs, WriteSettings, build, sort, write_files},
    },
};
use bytes::Bytes;
use protocol::{
    Balance, Batch, Counts, Epoch, Header, NodeUsage, PodUsage, Reconcile, Row, Table, Timestamp,
    decode, encode_rows,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

const PODS: usize = 110;
const WINDOW_US: i64 = 30_000_000;
const START: Timestamp = Timestamp {
    unix_us: 1_767_225_600_000_000,
};
const SERVICES: [&str; 6] = [
    "checkout",
    "payments",
    "search-indexer",
    "frontend",
    "reporting-worker",
    "gateway",
];

#[expect(clippy::print_stdout, reason = "an example tells its figures")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| match arguments.next() {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let (nodes, windows, commit, passes) =
        (number(5_000)?, number(1)?, number(200_000)?, number(3)?);
    let mut total = Stages::default();
    let batches_of_commit = commit.div_ceil(PODS);
    let mut batches = Vec::new();
    for node in 0..nodes {
        let mut agent = Agent::new(node as u64);
        batches.extend((0..windows).map(|window| agent.batch(window as i64)));
        if batches.len() >= batches_of_commit || node + 1 == nodes {
            let stages = commit_of(&std::mem::take(&mut batches), passes)?;
            println!("{stages}");
            total.add(&stages);
        }
    }
    println!("all: {total}");
    Ok(())
}

/// What one commit took, in seconds of CPU time.
#[derive(Default)]
struct Stages {
    rows: usize,
    wire_bytes: usize,
    file_bytes: usize,
    files: usize,
    decode: f64,
    gather: f64,
    sort: f64,
    encode: f64,
    whole: f64,
}

impl Stages {
    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.wire_bytes += other.wire_bytes;
        self.file_bytes += other.file_bytes;
        self.files += other.files;
        self.decode += other.decode;
        self.gather += other.gather;
        self.sort += other.sort;
        self.encode += other.encode;
        self.whole += other.whole;
    }
}

impl std::fmt::Display for Stages {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = self.rows as f64;
        let ns = |seconds: f64| seconds * 1e9 / rows;
        write!(
            out,
            "{} rows, {} files, {:.1} B/row on the wire, {:.1} B/row in files; ns/row: decode {:.0}, gather {:.0}, \
             sort {:.0}, encode {:.0}; whole {:.0} ns/row = {:.0} rows per core-second",
            self.rows,
            self.files,
            self.wire_bytes as f64 / rows,
            self.file_bytes as f64 / rows,
            ns(self.decode),
            ns(self.gather),
            ns(self.sort),
            ns(self.encode),
            ns(self.whole),
            rows / self.whole
        )
    }
}

/// Makes the files of one commit twice: in stages, and as a commit does.
fn commit_of(batches: &[Held], passes: usize) -> Result<Stages, Box<dyn Error>> {
    let settings = WriteSettings::default();
    let wanted: Vec<_> = batches
        .iter()
        .map(|batch| Wanted {
            batch: batch.clone(),
            tables: Table::ALL.map(|table| table == Table::PodUsage),
        })
        .collect();
    let mut stages = Stages {
        wire_bytes: batches.iter().map(|batch| batch.frame.len()).sum(),
        ..Stages::default()
    };
    stages.whole = f64::MAX;
    for _ in 0..passes {
        let start = cpu()?;
        let made = write_files(&wanted, &settings)?;
        // The best: others were disturbed by whatever else the machine does.
        stages.whole = stages.whole.min(cpu()? - start);
        let files = made.iter().flatten();
        stages.files = files.clone().count();
        stages.file_bytes = files.map(|file| file.bytes.len()).sum();
    }

    let per_file = batches.len().div_ceil(stages.files.max(1));
    for batches in batches.chunks(per_file) {
        in_stages(batches, &settings, &mut stages)?;
    }
    Ok(stages)
}

fn in_stages(
    batches: &[Held],
    settings: &WriteSettings,
    stages: &mut Stages,
) -> Result<(), Box<dyn Error>> {
    let mut inputs = Inputs::new(Table::PodUsage, batches.len() * PODS);
    // Few at a time, so that they are gathered while they are in the caches, as in a commit.
    for batches in batches.chunks(16) {
        let start = cpu()?;
        let decode = |batch: &Held| decode(&batch.frame, &settings.limits);
        let decoded: Vec<Batch> = batches.iter().map(decode).collect::<Result<_, _>>()?;
        let has_decoded = cpu()?;
        for (table, input) in decoded.into_iter().flat_map(Input::all) {
            if table == Table::PodUsage {
                inputs.push(input)?;
            }
        }
        stages.decode += has_decoded - start;
        stages.gather += cpu()? - has_decoded;
    }
    let start = cpu()?;
    sort(&inputs);
    let has_sorted = cpu()?;
    stages.rows += inputs.rows;
    build(inputs)?;
    let sorting = has_sorted - start;
    stages.sort += sorting;
    // It sorts once more.
    stages.encode += cpu()? - has_sorted - sorting;
    Ok(())
}

/// CPU time of this thread.
fn cpu() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(ns as f64 / 1e9)
}

/// A node with its pods.
struct Agent {
    rng: StdRng,
    header: Header,
    pods: Vec<PodUsage>,
}

impl Agent {
    fn new(number: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(number);
        let header = Header {
            cluster: "production".to_owned(),
            node: format!(
                "ip-10-0-{}-{}.eu-central-1.compute.internal",
                number / 250,
                number % 250
            ),
            boot_id: uuid(&mut rng),
            epoch: Epoch(rng.random()),
            seq: 100 + number % 50,
            previous: None,
            window_start: START,
            window_end: START,
        };
        let pods = (0..PODS).map(|_| pod(&mut rng, number)).collect();
        Self { rng, header, pods }
    }

    fn batch(&mut self, window: i64) -> Held {
        self.header.seq += 1;
        self.header.window_start = START.plus_us(window * WINDOW_US);
        self.header.window_end = START.plus_us((window + 1) * WINDOW_US);
        let mut rows = Vec::new();
        for pod in &mut self.pods {
            live(pod, &mut self.rng, &self.header);
            rows.push(Row::PodUsage(pod.clone()));
        }
        rows.push(Row::NodeUsage(NodeUsage {
            timestamp: self.header.window_end,
            window_start: self.header.window_start,
            window_end: self.header.window_end,
            ..NodeUsage::default()
        }));
        rows.push(Row::Reconcile(Reconcile {
            timestamp: self.header.window_end,
            window_start: self.header.window_start,
            window_end: self.header.window_end,
            rows_pod_usage: PODS as i64,
            rows_node_usage: 1,
            cpu_ns: Balance::default(),
            ..Reconcile::default()
        }));
        let mut counts = Counts::default();
        counts[Table::PodUsage] = PODS as u64;
        counts[Table::NodeUsage] = 1;
        counts[Table::Reconcile] = 1;
        Held {
            sender: Sender {
                node: self.header.node.as_str().into(),
                epoch: self.header.epoch,
            },
            cluster: Arc::from(self.header.cluster.as_str()),
            seq: self.header.seq,
            previous: None,
            window_end: self.header.window_end,
            rows: counts,
            gap: None,
            frame: Bytes::from(encode_rows(&self.header, &rows)),
        }
    }
}

fn uuid(rng: &mut StdRng) -> String {
    let hex = format!("{:032x}", rng.random::<u128>());
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

fn pod(rng: &mut StdRng, node: u64) -> PodUsage {
    // Few workloads have most of the pods.
    let number = (rng.random::<f64>().powi(2) * 4_000.0) as u64;
    let service = SERVICES
        .get(number as usize % SERVICES.len())
        .unwrap_or(&"worker");
    let workload = format!("{service}-{}", number / 6);
    let hash = format!("{:010x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24);
    let namespace = format!("team-{:02}", number % 40);
    let mebibytes = |number: u64| i64::try_from(number << 20).ok();
    PodUsage {
        ec2_instance_id: Some(format!("i-0{node:016x}")),
        pod_id: uuid(rng),
        pod_name: Some(format!(
            "{workload}-{hash}-{:05x}",
            rng.random_range(0..0xf_ffff)
        )),
        owner: Some(format!("ReplicaSet/{workload}-{hash}")),
        memory_usage_bytes: mebibytes(rng.random_range(20..2_000)),
        net_tx_bytes: Some(rng.random_range(0..1 << 36)),
        net_rx_bytes: Some(rng.random_range(0..1 << 36)),
        requests_cpu_millicores: Some(50 * (1 + number as i64 % 20)),
        requests_memory_bytes: mebibytes(64 * (1 + number % 16)),
        limits_memory_bytes: mebibytes(128 * (1 + number % 16)),
        labels: Some(vec![
            format!("app.kubernetes.io/name={workload}"),
            "app.kubernetes.io/managed-by=Helm".to_owned(),
            format!("pod-template-hash={hash}"),
            format!("team={namespace}"),
            format!("version=1.{}", number % 17),
        ]),
        annotations: Some(vec![format!("prometheus.io/port={}", 8_000 + number % 9)]),
        namespace: Some(namespace),
        host_network: Some(false),
        qos: Some("Burstable".to_owned()),
        workload_kind: Some("Deployment".to_owned()),
        workload: Some(workload),
        zone: Some(format!(
            "eu-central-1{}",
            ["a", "b", "c"][node as usize % 3]
        )),
        region: Some("eu-central-1".to_owned()),
        instance_type: Some("m6i.4xlarge".to_owned()),
        sources: [
            "name=api",
            "cpu=kernel",
            "memory=kubelet",
            "network=kernel",
            "oom=kernel",
            "io=cgroup",
        ]
        .map(str::to_owned)
        .to_vec(),
        cgroup_id: Some(rng.random_range(4_000..200_000)),
        ..PodUsage::default()
    }
}

/// One window of a pod's life.
fn live(pod: &mut PodUsage, rng: &mut StdRng, header: &Header) {
    pod.timestamp = header.window_end;
    pod.window_start = header.window_start;
    pod.window_end = header.window_end;
    let is_idle = rng.random_bool(0.4);
    let seconds = if is_idle {
        0.0
    } else {
        f64::from(rng.random_range(0..3_000_000)) / 1e6
    };
    pod.cpu_seconds = Some(seconds);
    pod.cpu_usage_cores = Some(seconds / 30.0);
    pod.cpu_peak_cores = Some((seconds * 20.0).round() / 100.0);
    pod.cpu_p99_cores = Some((seconds * 15.0).round() / 100.0);
    let rarely = |rng: &mut StdRng| match rng.random_bool(0.05) {
        true => Some(f64::from(rng.random_range(0..3_000)) / 1e6),
        false => Some(0.0),
    };
    pod.cpu_over_request_seconds = rarely(rng);
    pod.cpu_throttled_seconds = rarely(rng);
    pod.psi_cpu_some_seconds = rarely(rng);
    pod.psi_memory_some_seconds = Some(0.0);
    pod.psi_io_some_seconds = rarely(rng);
    let memory = pod.memory_usage_bytes.unwrap_or(0) + 4_096 * rng.random_range(-60..64);
    pod.memory_usage_bytes = Some(memory);
    pod.memory_working_set_bytes = Some(memory - 4_096 * rng.random_range(0..4_000));
    pod.memory_rss_bytes = Some(memory - 4_096 * rng.random_range(4_000..9_000));
    pod.memory_peak_bytes = pod.memory_peak_bytes.max(Some(memory));
    let packets = if is_idle {
        0
    } else {
        rng.random_range(0..3_000)
    };
    for (total, delta, count) in [
        (
            &mut pod.net_tx_bytes,
            &mut pod.net_tx_bytes_delta,
            &mut pod.net_tx_packets_delta,
        ),
        (
            &mut pod.net_rx_bytes,
            &mut pod.net_rx_bytes_delta,
            &mut pod.net_rx_packets_delta,
        ),
    ] {
        let bytes = packets * rng.random_range(60..1_400);
        (*delta, *count) = (Some(bytes), Some(packets));
        *total = total.map(|total| total + bytes);
    }
    pod.io_read_bytes_delta = Some(0);
    pod.io_write_bytes_delta = Some(if is_idle {
        0
    } else {
        4_096 * rng.random_range(0..50)
    });
    (pod.oom_kills, pod.restarts, pod.cpu_throttled_periods) = (Some(0), Some(0), Some(0));
}
