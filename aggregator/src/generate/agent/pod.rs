//! One pod and its windows.

use protocol::{PodNetwork, PodUsage, Timestamp};
use rand::{Rng as _, rngs::StdRng};

use super::{names, traffic};

/// Where its figures come from.
pub(in crate::generate) const SOURCES: [&str; 10] = [
    "name=api",
    "instance=imds",
    "cpu=kernel",
    "memory=kubelet",
    "network_total=kubelet",
    "network=kernel",
    "io=cgroup",
    "pressure=kubelet",
    "oom=kernel",
    "lifecycle=kernel",
];
/// Cores that half of the pods are busy with less than in a window.
const BUSY: f64 = 0.005;
pub(in crate::generate) const PAGE: i64 = 4096;

/// A pod, and what it was in its last window.
#[derive(Debug)]
pub(super) struct FakePod {
    pub usage: PodUsage,
    pages: i64,
    /// Pages that are the cache of files, which the kubelet leaves out of the working set.
    file_pages: i64,
}

impl FakePod {
    /// One on node `number`.
    pub fn new(rng: &mut StdRng, node: &str, number: u64) -> Self {
        let names = names::draw(rng);
        // From 8 MiB to 2 GiB: together they fit into the node.
        let pages = rng.random_range(11.0..19.0_f64).exp2() as i64;
        let reads_files = rng.random_ratio(3, 4);
        let file_pages = if reads_files {
            rng.random_range(0..pages / 3)
        } else {
            0
        };
        let total = |rng: &mut StdRng| Some((rng.random_range(14.0..37.0_f64)).exp2() as i64);
        let usage = PodUsage {
            cluster_id: "production".to_owned(),
            node_name: node.to_owned(),
            ec2_instance_id: Some(format!("i-0{number:016x}")),
            pod_id: names::uid(rng),
            namespace: Some(names.namespace.to_owned()),
            owner: Some(names.owner),
            net_tx_bytes: total(rng),
            net_rx_bytes: total(rng),
            requests_cpu_millicores: Some([50, 100, 250, 500][rng.random_range(0..4)]),
            requests_memory_bytes: Some([128 << 20, 256 << 20, 1 << 30][rng.random_range(0..3)]),
            limits_memory_bytes: Some([256 << 20, 512 << 20, 2 << 30][rng.random_range(0..3)]),
            host_network: Some(false),
            qos: Some("burstable".to_owned()),
            workload_kind: Some(names.workload_kind.to_owned()),
            workload: Some(names.workload),
            zone: Some("eu-central-1b".to_owned()),
            region: Some("eu-central-1".to_owned()),
            instance_type: Some("m6i.4xlarge".to_owned()),
            memory_peak_bytes: Some((pages + rng.random_range(0..pages / 4)) * PAGE),
            oom_kills: Some(0),
            restarts: Some(0),
            sources: SOURCES.map(str::to_owned).into(),
            cgroup_id: Some(rng.random_range(4_000..200_000)),
            pod_name: Some(names.pod),
            swap_usage_bytes: Some(0),
            ..PodUsage::default()
        };
        Self {
            usage,
            pages,
            file_pages,
        }
    }

    /// What pods are sorted by.
    pub fn place(&self) -> (Option<&str>, Option<&str>) {
        let usage = &self.usage;
        (usage.namespace.as_deref(), usage.pod_name.as_deref())
    }

    /// One window of its life, and its rows of traffic.
    pub fn live(
        &mut self,
        rng: &mut StdRng,
        (start, end): (Timestamp, Timestamp),
    ) -> Vec<PodNetwork> {
        let seconds = (end.unix_us - start.unix_us) as f64 / 1e6;
        let usage = &mut self.usage;
        (usage.timestamp, usage.window_start, usage.window_end) = (end, start, end);
        let busy = busy(rng);
        cpu(usage, rng, busy, seconds);
        pressure(usage, rng);
        self.memory(rng);
        let usage = &mut self.usage;
        usage.io_read_bytes_delta = Some(0);
        usage.io_write_bytes_delta = Some(if busy > 0.01 {
            rng.random_range(0..64) * PAGE
        } else {
            0
        });
        let packets = (busy * seconds * 2_000.0 * rng.random_range(0.5..1.5)) as i64;
        traffic::live(usage, rng, packets)
    }

    fn memory(&mut self, rng: &mut StdRng) {
        let change = rng.random_range(-64_i64..64);
        self.pages = (self.pages + change).max(self.file_pages + 256);
        let working_set = self.pages - self.file_pages;
        let rss = (working_set as f64 * rng.random_range(0.7..0.98)) as i64;
        let peak = self.usage.memory_peak_bytes.unwrap_or(0);
        self.usage.memory_usage_bytes = Some(self.pages * PAGE);
        self.usage.memory_working_set_bytes = Some(working_set * PAGE);
        self.usage.memory_rss_bytes = Some(rss * PAGE);
        self.usage.memory_peak_bytes = Some(peak.max(self.pages * PAGE));
    }
}

/// Most pods do little and few do much: 0.037 cores on average, so that a hundred take four.
fn busy(rng: &mut StdRng) -> f64 {
    let (length, turn): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
    let normal = (-2.0 * length.ln()).sqrt() * (std::f64::consts::TAU * turn).cos();
    (BUSY * (2.0 * normal).exp()).min(8.0)
}

/// Run time in nanoseconds; windows in thousandths of a core, as an agent tells them.
fn cpu(usage: &mut PodUsage, rng: &mut StdRng, busy: f64, seconds: f64) {
    let cpu_ns = (busy * seconds * 1e9 * rng.random_range(0.7..1.3)) as i64;
    let cpu_seconds = cpu_ns as f64 / 1e9;
    usage.cpu_seconds = Some(cpu_seconds);
    usage.cpu_usage_cores = Some(cpu_seconds / seconds);
    let peak = (busy * rng.random_range(2.0..8.0)).min(16.0);
    usage.cpu_peak_cores = Some(thousandths(peak));
    usage.cpu_p99_cores = Some(thousandths(peak * rng.random_range(0.2..1.0)));
    let over = if busy > 0.05 {
        rng.random_range(0.0..5.0)
    } else {
        0.0
    };
    usage.cpu_over_request_seconds = Some(thousandths(over));
    usage.cpu_throttled_seconds = Some(0.0);
    usage.cpu_throttled_periods = Some(0);
    usage.cpu_burst_periods = Some(0);
}

/// Whoever runs waits, too.
pub(in crate::generate) fn pressure(usage: &mut PodUsage, rng: &mut StdRng) {
    let some = usage.cpu_seconds.unwrap_or(0.0) * rng.random_range(0.0..0.2);
    let full = some * rng.random_range(0.5..1.0);
    usage.psi_cpu_some_seconds = Some((some * 1e6).round() / 1e6);
    usage.psi_cpu_full_seconds = Some((full * 1e6).round() / 1e6);
    usage.psi_memory_some_seconds = Some(0.0);
    usage.psi_memory_full_seconds = Some(0.0);
    usage.psi_io_some_seconds = Some(0.0);
    usage.psi_io_full_seconds = Some(0.0);
}

pub(in crate::generate) fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
