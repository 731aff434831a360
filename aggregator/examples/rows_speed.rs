<<<<<<< HEAD
//! Speed of making files: from compressed batches of many nodes to Parquet, in rows per second of CPU
//! time of one core. `rows_speed [nodes] [windows] [rows of a commit]`.
=======
use aggregator::lake::rows::{self, Input, Inputs, Rows};
use protocol::{columns::*, *};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::Arc;
include!("/tmp/cols.rs");
>>>>>>> main

use std::{error::Error, fs, sync::Arc};

use aggregator::{
    held::{Held, Sender},
    lake::rows::{Input, Inputs, WriteSettings, build, sort, write_files},
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
    let (nodes, windows, commit) = (number(5_000)?, number(1)?, number(200_000)?);
    let mut total = Stages::default();
    let batches_of_commit = commit.div_ceil(PODS);
    let mut batches = Vec::new();
    for node in 0..nodes {
        let mut agent = Agent::new(node as u64);
        batches.extend((0..windows).map(|window| agent.batch(window as i64)));
        if batches.len() >= batches_of_commit || node + 1 == nodes {
            let stages = commit_of(&std::mem::take(&mut batches))?;
            println!("{stages}");
            total.add(&stages);
        }
    }
<<<<<<< HEAD
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
fn commit_of(batches: &[Held]) -> Result<Stages, Box<dyn Error>> {
    let settings = WriteSettings::default();
    let mut stages = Stages {
        wire_bytes: batches.iter().map(|batch| batch.frame.len()).sum(),
        ..Stages::default()
    };
    let start = cpu()?;
    let files = write_files(Table::PodUsage, batches, &settings)?;
    stages.whole = cpu()? - start;
    stages.files = files.len();
    stages.file_bytes = files.iter().map(|file| file.bytes.len()).sum();
    drop(files);

    let per_file = batches.len().div_ceil(stages.files.max(1));
    for batches in batches.chunks(per_file) {
        let start = cpu()?;
        let decoded: Result<Vec<Batch>, _> = batches
            .iter()
            .map(|batch| decode(&batch.frame, &settings.limits))
            .collect();
        let decoded = decoded?;
        let has_decoded = cpu()?;
        let mut inputs = Inputs::default();
        let of_table = decoded
            .into_iter()
            .filter_map(|batch| Input::of(batch, Table::PodUsage));
        of_table.for_each(|input| inputs.push(input));
        let has_gathered = cpu()?;
        sort(Table::PodUsage, &mut inputs)?;
        let has_sorted = cpu()?;
        build(Table::PodUsage, &mut inputs)?;
        stages.rows += inputs.rows;
        stages.decode += has_decoded - start;
        stages.gather += has_gathered - has_decoded;
        stages.sort += has_sorted - has_gathered;
        // It sorts once more.
        stages.encode += cpu()? - has_sorted - (has_sorted - has_gathered);
=======
    let cpu = || {
        std::fs::read_to_string("/proc/thread-self/schedstat")
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1e9
    };
    for _ in 0..3 {
        let batches = batches.clone();
        let t = cpu();
        let mut inputs = Inputs::default();
        for b in batches {
            inputs.push(b);
        }
        let rows = inputs.rows;
        let t1 = cpu() - t;
        let bytes = rows::build(Table::PodUsage, COLUMNS, inputs).unwrap();
        let all = cpu() - t;
        println!(
            "{rows} rows, intern {t1:?}, all {all:?}: {} rows/s, {} B/row",
            rows as f64 / all,
            bytes.len() as f64 / rows as f64
        );
>>>>>>> main
    }
    Ok(stages)
}

<<<<<<< HEAD
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
=======
struct Pod {
    id: String,
    name: String,
    ns: String,
    workload: String,
    owner: String,
    labels: Vec<String>,
    longs: Vec<i64>,
    cgroup: i64,
    w: u64,
}
impl Pod {
    fn new(r: &mut StdRng) -> Self {
        let w = (r.random::<f64>().powi(2) * 4000.0) as u64;
        let ns = format!("team-{:02}", w % 40);
        let workload = format!(
            "{}-{}",
            [
                "checkout",
                "payments",
                "search-indexer",
                "frontend",
                "reporting-worker",
                "gateway"
            ][(w % 6) as usize],
            w / 6
        );
        let hash = format!("{:010x}", w.wrapping_mul(0x9E3779B97F4A7C15) >> 24);
        let name = format!("{workload}-{hash}-{:05x}", r.random_range(0..0xfffffu32));
        let labels = vec![
            format!("app.kubernetes.io/name={workload}"),
            format!("pod-template-hash={hash}"),
            format!("team={ns}"),
            "app.kubernetes.io/managed-by=Helm".into(),
            format!("version=1.{}", w % 17),
        ];
        let u: u128 = r.random();
        let h = format!("{u:032x}");
        Self {
            id: format!(
                "{}-{}-{}-{}-{}",
                &h[..8],
                &h[8..12],
                &h[12..16],
                &h[16..20],
                &h[20..]
            ),
            name,
            ns,
            owner: format!("ReplicaSet/{workload}-{hash}"),
            workload,
            labels,
            longs: (0..64).map(|_| r.random_range(0..1 << 32)).collect(),
            cgroup: r.random_range(4000..200000),
            w,
        }
    }
}

fn batch(r: &mut StdRng, node: u64, window: i64, pods: &mut [Pod]) -> Input {
    let mut texts: Vec<Box<str>> = Vec::new();
    let mut ids = std::collections::HashMap::new();
    let mut num = |s: &str| {
        *ids.entry(s.to_owned()).or_insert_with(|| {
            texts.push(s.into());
            texts.len() as u32 - 1
        })
    };
    let n = pods.len();
    enum C {
        L(Vec<i64>),
        D(Vec<f64>),
        B(Vec<bool>),
        T(Vec<u32>),
        M(Vec<u32>, Vec<u32>),
    }
    let mut cols = Vec::new();
    for c in COLUMNS.iter().filter(|c| !c.is_of_header) {
        let v = match (c.name, c.kind) {
            ("closing" | "swap_usage_bytes", _) => continue,
            ("pod_id", _) => C::T(pods.iter().map(|p| num(&p.id)).collect()),
            ("pod_name", _) => C::T(pods.iter().map(|p| num(&p.name)).collect()),
            ("namespace", _) => C::T(pods.iter().map(|p| num(&p.ns)).collect()),
            ("workload", _) => C::T(pods.iter().map(|p| num(&p.workload)).collect()),
            ("owner", _) => C::T(pods.iter().map(|p| num(&p.owner)).collect()),
            ("qos", _) => C::T(
                pods.iter()
                    .map(|p| num(["Burstable", "Guaranteed"][(p.w % 2) as usize]))
                    .collect(),
            ),
            ("ec2_instance_id", _) => {
                let s = format!("i-{:017x}", node.wrapping_mul(0x9E3779B97F4A7C15));
                C::T(pods.iter().map(|_| num(&s)).collect())
            }
            (name, Kind::Text) => {
                let s = format!("{name}-{}", node % 3);
                C::T(pods.iter().map(|_| num(&s)).collect())
            }
            ("labels", _) => C::M(
                pods.iter().map(|p| p.labels.len() as u32).collect(),
                pods.iter()
                    .flat_map(|p| p.labels.iter())
                    .map(|l| num(l))
                    .collect(),
            ),
            ("sources", _) => C::M(
                vec![6; n],
                pods.iter()
                    .flat_map(|_| {
                        [
                            "cpu=kernel",
                            "memory=kubelet",
                            "network=kernel",
                            "io=cgroup",
                            "pods=api",
                            "oom=kernel",
                        ]
                    })
                    .map(|l| num(l))
                    .collect(),
            ),
            ("annotations", _) => C::M(
                vec![1; n],
                pods.iter()
                    .map(|p| num(&format!("prometheus.io/port={}", 8000 + p.w % 9)))
                    .collect(),
            ),
            ("pvc_names" | "aws_volume_ids", _) => C::M(vec![0; n], vec![]),
            ("cgroup_id", _) => C::L(pods.iter().map(|p| p.cgroup + window * 0).collect()),
            ("requests_cpu_millicores" | "limits_cpu_millicores", _) => {
                C::L(pods.iter().map(|p| 100 * (1 + (p.w % 20) as i64)).collect())
            }
            ("requests_memory_bytes" | "limits_memory_bytes", _) => {
                C::L(pods.iter().map(|p| (1 + (p.w % 16) as i64) << 28).collect())
            }
            (
                "oom_kills"
                | "restarts"
                | "lost_events"
                | "cpu_burst_periods"
                | "pvc_count"
                | "total_pvc_storage_bytes"
                | "cpu_throttled_periods"
                | "io_read_bytes_delta",
                _,
            ) => C::L(vec![0; n]),
            ("io_write_bytes_delta", _) => C::L(
                pods.iter()
                    .map(|_| {
                        if r.random::<f32>() < 0.3 {
                            4096 * r.random_range(1..100)
                        } else {
                            0
                        }
                    })
                    .collect(),
            ),
            (name, Kind::Long | Kind::Int | Kind::Time | Kind::TimeText)
                if name.contains("delta") =>
            {
                C::L(pods.iter().map(|_| r.random_range(0..1 << 20)).collect())
            }
            (name, Kind::Long | Kind::Int | Kind::Time | Kind::TimeText)
                if name.starts_with("memory") =>
            {
                C::L(
                    pods.iter_mut()
                        .map(|p| {
                            let w = p.longs[c.id as usize] & !4095;
                            p.longs[c.id as usize] = w + 4096 * r.random_range(-50..50i64);
                            w
                        })
                        .collect(),
                )
            }
            (_, Kind::Long | Kind::Int | Kind::Time | Kind::TimeText) => C::L(
                pods.iter_mut()
                    .map(|p| {
                        p.longs[c.id as usize] += r.random_range(0..100_000);
                        p.longs[c.id as usize]
                    })
                    .collect(),
            ),
            (name, Kind::Double)
                if name.starts_with("psi")
                    || name.contains("throttled")
                    || name.contains("over") =>
            {
                C::D(
                    pods.iter()
                        .map(|_| {
                            if r.random::<f32>() < 0.05 {
                                r.random_range(0..3000) as f64 / 1e6
                            } else {
                                0.0
                            }
                        })
                        .collect(),
                )
            }
            (_, Kind::Double) => C::D(
                pods.iter()
                    .map(|_| r.random_range(0..3_000_000) as f64 / 1e6)
                    .collect(),
            ),
            (_, Kind::Boolean) => C::B(vec![false; n]),
            (_, Kind::Texts) => continue,
>>>>>>> main
        };
        let pods = (0..PODS).map(|_| pod(&mut rng, number)).collect();
        Self { rng, header, pods }
    }
<<<<<<< HEAD

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
=======
    let texts = Arc::new(Texts(texts));
    let columns = cols
        .into_iter()
        .map(|(id, v)| ColumnData {
            id,
            present: None,
            values: match v {
                C::L(v) => Values::Longs(v),
                C::D(v) => Values::Doubles(v),
                C::B(v) => Values::Booleans(v),
                C::T(v) => Values::Texts(v, texts.clone()),
                C::M(l, v) => Values::Lists(l, v, texts.clone()),
            },
        })
        .collect();
    let end = 1_700_000_010_000_000 + window * 30_000_000;
    Input {
        header: Header {
            cluster: "prod".into(),
            node: format!(
                "ip-10-{}-{}-{}.ec2.internal",
                node / 65536,
                node / 256 % 256,
                node % 256
            ),
            boot_id: format!("{:036x}", node),
            epoch: Epoch(
                (node as u128)
                    .wrapping_mul(0x9E3779B97F4A7C15F39CC0605CEDC834)
                    .to_be_bytes(),
            ),
            seq: 100 + node % 50 + window as u64,
            previous: None,
            window_start: Timestamp {
                unix_us: end - 30_000_000,
            },
            window_end: Timestamp { unix_us: end },
        },
        rows: Rows::Data(TableData {
            table: Table::PodUsage,
            rows: n,
            columns,
        }),
>>>>>>> main
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
