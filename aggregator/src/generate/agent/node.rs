//! What the node says of itself in each window.

use protocol::{Balance, NodeUsage, Reconcile, Row, Timestamp};
use rand::{Rng as _, rngs::StdRng};

pub(in crate::generate) const LOSSES: [&str; 9] = [
    "network_map_full",
    "cpu_map_full",
    "lifecycle_ring_full",
    "oom_ring_full",
    "oom_map_full",
    "records_unreadable",
    "states_not_saved",
    "listings_failed",
    "oom_marks_without_room",
];
pub(in crate::generate) const SOURCES: [&str; 4] = ["network", "cpu", "oom", "lifecycle"];

fn counter(rng: &mut StdRng) -> Option<i64> {
    Some(rng.random_range(1_000..1 << 30))
}

/// The node's own row.
pub(super) fn usage(
    rng: &mut StdRng,
    (start, end): (Timestamp, Timestamp),
    pods: usize,
) -> NodeUsage {
    let ticks = |rng: &mut StdRng| Some(f64::from(rng.random_range(0..48_000)) / 100.0);
    let load = |rng: &mut StdRng| Some(f64::from(rng.random_range(0..1_600)) / 100.0);
    let stall = |rng: &mut StdRng| Some(f64::from(rng.random_range(0..1_000_000)) / 1e6);
    let kib = |rng: &mut StdRng| Some(rng.random_range(1 << 20..64 << 20) << 10);
    NodeUsage {
        timestamp: end,
        window_start: start,
        window_end: end,
        ec2_instance_id: Some("i-00000000000000fff".to_owned()),
        instance_type: Some("m6i.4xlarge".to_owned()),
        zone: Some("eu-central-1b".to_owned()),
        zone_id: Some("euc1-az3".to_owned()),
        region: Some("eu-central-1".to_owned()),
        capacity_type: Some("on-demand".to_owned()),
        kernel_version: Some("6.12.46-66.121.amzn2023.x86_64".to_owned()),
        cpus: Some(16),
        cpu_usage_cores: ticks(rng).map(|seconds| seconds / 30.0),
        cpu_user_seconds: ticks(rng),
        cpu_system_seconds: ticks(rng),
        cpu_idle_seconds: ticks(rng),
        cpu_iowait_seconds: ticks(rng),
        cpu_steal_seconds: Some(0.0),
        load_1: load(rng),
        load_5: load(rng),
        load_15: load(rng),
        memory_total_bytes: Some(66_571_993_088),
        memory_available_bytes: kib(rng),
        memory_working_set_bytes: kib(rng),
        swap_total_bytes: Some(0),
        swap_usage_bytes: Some(0),
        psi_cpu_some_seconds: stall(rng),
        psi_memory_some_seconds: Some(0.0),
        psi_memory_full_seconds: Some(0.0),
        psi_io_some_seconds: stall(rng),
        psi_io_full_seconds: stall(rng),
        nic_tx_bytes: counter(rng),
        nic_tx_packets: counter(rng),
        nic_tx_dropped: Some(0),
        nic_rx_bytes: counter(rng),
        nic_rx_packets: counter(rng),
        nic_rx_dropped: Some(0),
        nics: Some(vec!["ens5".to_owned()]),
        pods: Some(pods as i64),
        uptime_seconds: Some(f64::from(rng.random_range(0..1 << 30)) / 100.0),
        sources: ["node=proc", "instance=imds", "memory_working_set=kubelet"]
            .map(str::to_owned)
            .into(),
        ..NodeUsage::default()
    }
}

/// The balance of these rows, which comes out even.
pub(super) fn reconcile(
    rng: &mut StdRng,
    rows: &[Row],
    (start, end): (Timestamp, Timestamp),
) -> Reconcile {
    let mut reconcile = Reconcile {
        timestamp: end,
        window_start: start,
        window_end: end,
        losses: LOSSES.map(|name| format!("{name}=0")).into(),
        sources: SOURCES.map(|name| format!("{name}=kernel")).into(),
        nic_tx_bytes: counter(rng),
        nic_tx_packets: counter(rng),
        nic_rx_bytes: counter(rng),
        nic_rx_packets: counter(rng),
        proc_cpu_ns: Some(rng.random_range(0..48_000) * 10_000_000),
        kubelet_cpu_ns: Some(rng.random_range(0..480_000_000) * 1_000),
        kubelet_pods_cpu_ns: Some(rng.random_range(0..480_000_000) * 1_000),
        kubelet_tx_bytes: counter(rng),
        kubelet_rx_bytes: counter(rng),
        kubelet_seconds: Some(30.0 + f64::from(rng.random_range(0..1_000_000)) / 1e6),
        ..Reconcile::default()
    };
    balance(&mut reconcile, rows);
    reconcile
}

/// Counts rows and adds up what they tell.
pub(in crate::generate) fn balance(reconcile: &mut Reconcile, rows: &[Row]) {
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
}
