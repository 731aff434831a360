use std::sync::Arc;
use aggregator::lake::rows::{self, Input, Inputs, Rows};
use protocol::{columns::*, *};
use rand::{Rng, SeedableRng, rngs::StdRng};
include!("/tmp/cols.rs");

fn main() {
    let nodes: u64 = std::env::args().nth(1).map_or(1800, |a| a.parse().unwrap());
    let windows: i64 = std::env::args().nth(2).map_or(1, |a| a.parse().unwrap());
    let mut rng = StdRng::seed_from_u64(1);
    let mut batches = Vec::new();
    for node in 0..nodes {
        let pods: Vec<Pod> = (0..110).map(|_| Pod::new(&mut rng)).collect();
        let mut pods = pods;
        for window in 0..windows {
            batches.push(batch(&mut rng, node, window, &mut pods));
        }
    }
    let cpu = || std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9;
    for _ in 0..3 {
        let batches = batches.clone();
        let t = cpu();
        let mut inputs = Inputs::default();
        for b in batches { inputs.push(b); }
        let rows = inputs.rows;
        let t1 = cpu() - t;
        let bytes = rows::build(Table::PodUsage, COLUMNS, inputs).unwrap();
        let all = cpu() - t;
        println!("{rows} rows, intern {t1:?}, all {all:?}: {} rows/s, {} B/row", rows as f64 / all, bytes.len() as f64 / rows as f64);
    }
}

struct Pod { id: String, name: String, ns: String, workload: String, owner: String, labels: Vec<String>, longs: Vec<i64>, cgroup: i64, w: u64 }
impl Pod {
    fn new(r: &mut StdRng) -> Self {
        let w = (r.random::<f64>().powi(2) * 4000.0) as u64;
        let ns = format!("team-{:02}", w % 40);
        let workload = format!("{}-{}", ["checkout","payments","search-indexer","frontend","reporting-worker","gateway"][(w % 6) as usize], w / 6);
        let hash = format!("{:010x}", w.wrapping_mul(0x9E3779B97F4A7C15) >> 24);
        let name = format!("{workload}-{hash}-{:05x}", r.random_range(0..0xfffffu32));
        let labels = vec![format!("app.kubernetes.io/name={workload}"), format!("pod-template-hash={hash}"), format!("team={ns}"), "app.kubernetes.io/managed-by=Helm".into(), format!("version=1.{}", w % 17)];
        let u: u128 = r.random();
        let h = format!("{u:032x}");
        Self { id: format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..]), name, ns, owner: format!("ReplicaSet/{workload}-{hash}"), workload, labels, longs: (0..64).map(|_| r.random_range(0..1 << 32)).collect(), cgroup: r.random_range(4000..200000), w }
    }
}

fn batch(r: &mut StdRng, node: u64, window: i64, pods: &mut [Pod]) -> Input {
    let mut texts: Vec<Box<str>> = Vec::new();
    let mut ids = std::collections::HashMap::new();
    let mut num = |s: &str| *ids.entry(s.to_owned()).or_insert_with(|| { texts.push(s.into()); texts.len() as u32 - 1 });
    let n = pods.len();
    enum C { L(Vec<i64>), D(Vec<f64>), B(Vec<bool>), T(Vec<u32>), M(Vec<u32>, Vec<u32>) }
    let mut cols = Vec::new();
    for c in COLUMNS.iter().filter(|c| !c.is_of_header) {
        let v = match (c.name, c.kind) {
            ("closing" | "swap_usage_bytes", _) => continue,
            ("pod_id", _) => C::T(pods.iter().map(|p| num(&p.id)).collect()),
            ("pod_name", _) => C::T(pods.iter().map(|p| num(&p.name)).collect()),
            ("namespace", _) => C::T(pods.iter().map(|p| num(&p.ns)).collect()),
            ("workload", _) => C::T(pods.iter().map(|p| num(&p.workload)).collect()),
            ("owner", _) => C::T(pods.iter().map(|p| num(&p.owner)).collect()),
            ("qos", _) => C::T(pods.iter().map(|p| num(["Burstable", "Guaranteed"][(p.w % 2) as usize])).collect()),
            ("ec2_instance_id", _) => { let s = format!("i-{:017x}", node.wrapping_mul(0x9E3779B97F4A7C15)); C::T(pods.iter().map(|_| num(&s)).collect()) }
            (name, Kind::Text) => { let s = format!("{name}-{}", node % 3); C::T(pods.iter().map(|_| num(&s)).collect()) }
            ("labels", _) => C::M(pods.iter().map(|p| p.labels.len() as u32).collect(), pods.iter().flat_map(|p| p.labels.iter()).map(|l| num(l)).collect()),
            ("sources", _) => C::M(vec![6; n], pods.iter().flat_map(|_| ["cpu=kernel","memory=kubelet","network=kernel","io=cgroup","pods=api","oom=kernel"]).map(|l| num(l)).collect()),
            ("annotations", _) => C::M(vec![1; n], pods.iter().map(|p| num(&format!("prometheus.io/port={}", 8000 + p.w % 9))).collect()),
            ("pvc_names" | "aws_volume_ids", _) => C::M(vec![0; n], vec![]),
            ("cgroup_id", _) => C::L(pods.iter().map(|p| p.cgroup + window * 0).collect()),
            ("requests_cpu_millicores" | "limits_cpu_millicores", _) => C::L(pods.iter().map(|p| 100 * (1 + (p.w % 20) as i64)).collect()),
            ("requests_memory_bytes" | "limits_memory_bytes", _) => C::L(pods.iter().map(|p| (1 + (p.w % 16) as i64) << 28).collect()),
            ("oom_kills" | "restarts" | "lost_events" | "cpu_burst_periods" | "pvc_count" | "total_pvc_storage_bytes" | "cpu_throttled_periods" | "io_read_bytes_delta", _) => C::L(vec![0; n]),
            ("io_write_bytes_delta", _) => C::L(pods.iter().map(|_| if r.random::<f32>() < 0.3 { 4096 * r.random_range(1..100) } else { 0 }).collect()),
            (name, Kind::Long | Kind::Int | Kind::Time | Kind::TimeText) if name.contains("delta") => C::L(pods.iter().map(|_| r.random_range(0..1 << 20)).collect()),
            (name, Kind::Long | Kind::Int | Kind::Time | Kind::TimeText) if name.starts_with("memory") => C::L(pods.iter_mut().map(|p| { let w = p.longs[c.id as usize] & !4095; p.longs[c.id as usize] = w + 4096 * r.random_range(-50..50i64); w }).collect()),
            (_, Kind::Long | Kind::Int | Kind::Time | Kind::TimeText) => C::L(pods.iter_mut().map(|p| { p.longs[c.id as usize] += r.random_range(0..100_000); p.longs[c.id as usize] }).collect()),
            (name, Kind::Double) if name.starts_with("psi") || name.contains("throttled") || name.contains("over") => C::D(pods.iter().map(|_| if r.random::<f32>() < 0.05 { r.random_range(0..3000) as f64 / 1e6 } else { 0.0 }).collect()),
            (_, Kind::Double) => C::D(pods.iter().map(|_| r.random_range(0..3_000_000) as f64 / 1e6).collect()),
            (_, Kind::Boolean) => C::B(vec![false; n]),
            (_, Kind::Texts) => continue,
        };
        cols.push((c.id, v));
    }
    let texts = Arc::new(Texts(texts));
    let columns = cols.into_iter().map(|(id, v)| ColumnData { id, present: None, values: match v {
        C::L(v) => Values::Longs(v), C::D(v) => Values::Doubles(v), C::B(v) => Values::Booleans(v), C::T(v) => Values::Texts(v, texts.clone()), C::M(l, v) => Values::Lists(l, v, texts.clone()) } }).collect();
    let end = 1_700_000_010_000_000 + window * 30_000_000;
    Input {
        header: Header { cluster: "prod".into(), node: format!("ip-10-{}-{}-{}.ec2.internal", node / 65536, node / 256 % 256, node % 256), boot_id: format!("{:036x}", node), epoch: Epoch((node as u128).wrapping_mul(0x9E3779B97F4A7C15F39CC0605CEDC834).to_be_bytes()), seq: 100 + node % 50 + window as u64, previous: None, window_start: Timestamp { unix_us: end - 30_000_000 }, window_end: Timestamp { unix_us: end } },
        rows: Rows::Data(TableData { table: Table::PodUsage, rows: n, columns }),
    }
}
