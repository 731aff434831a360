//! Rows of all tables with all columns. In a batch each column has a habit of its own, so that whatever
//! the codec looks for comes, and what nearly is that.

mod cells;
mod derived;
mod texts;

use std::collections::HashMap;

use protocol::{
    Balance, Event, NodeUsage, Origin, PodNetwork, PodUsage, Reconcile, Row, Timestamp,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use cells::Any;

/// End of the window.
pub const END: Timestamp = Timestamp {
    unix_us: 1_760_000_030_000_000,
};

/// What a column does in all rows of a batch.
#[derive(Clone, Copy)]
struct Habit {
    kind: u32,
    /// Of eight rows so many have no value.
    absent: u32,
    /// Which of the columns before it is like it.
    other: usize,
    long: i64,
    double: f64,
}

/// What rows are made of.
struct Chance {
    rng: StdRng,
    habits: HashMap<&'static str, Habit>,
    texts: Vec<String>,
    /// Values that the row has so far.
    longs: Vec<i64>,
    doubles: Vec<f64>,
}

impl Chance {
    fn below(&mut self, most: u32) -> u32 {
        self.rng.random_range(0..most)
    }

    fn cell<T: Any>(&mut self, name: &'static str) -> T {
        let rng = &mut self.rng;
        let new = || Habit {
            kind: rng.random_range(0..16),
            absent: [0, 0, 0, 8, 1, 4, 7][rng.random_range(0..7)],
            other: rng.random_range(0..64),
            long: rng.random::<i64>() >> rng.random_range(0..64),
            double: f64::from(rng.random_range(-9..1_000_000)) / 1e3,
        };
        let habit = *self.habits.entry(name).or_insert_with(new);
        T::any(self, &habit)
    }
}

/// A row of which each column is as its habit has it.
macro_rules! row {
    ($chance:ident, $name:ident { $($field:ident),* $(,)? } $(with $($rest:tt)*)?) => {{
        $chance.longs.clear();
        $chance.doubles.clear();
        $name {
            $($field: $chance.cell(concat!(stringify!($name), ".", stringify!($field))),)*
            $($($rest)*)?
        }
    }};
}

/// Rows of a batch that this number makes, most often of so many pods.
pub fn rows(seed: u64, pods: usize) -> Vec<Row> {
    let mut chance = Chance {
        rng: StdRng::seed_from_u64(seed),
        habits: HashMap::new(),
        texts: Vec::new(),
        longs: Vec::new(),
        doubles: Vec::new(),
    };
    let chance = &mut chance;
    let mut usages: Vec<PodUsage> = (0..pods).map(|_| usage(chance)).collect();
    let count = pods * chance.below(3) as usize;
    let mut networks: Vec<PodNetwork> = (0..count).map(|_| network(chance)).collect();
    let nodes: Vec<NodeUsage> = (0..chance.below(3)).map(|_| node(chance)).collect();
    let events: Vec<Event> = (0..chance.below(4)).map(|_| event(chance)).collect();
    if pods > 0 && chance.below(4) == 0 {
        usages.push(usages[0].clone());
    }
    derived::relate(chance, &mut usages, &mut networks);
    let reconcile = Reconcile {
        rows_pod_usage: usages.len() as i64,
        rows_pod_network: networks.len() as i64,
        rows_events: events.len() as i64,
        rows_node_usage: nodes.len() as i64,
        ..reconcile(chance)
    };
    let usages = usages.into_iter().map(Row::PodUsage);
    let networks = networks.into_iter().map(Row::PodNetwork);
    let nodes = nodes.into_iter().map(Row::NodeUsage);
    let events = events.into_iter().map(Row::Events);
    let all = usages.chain(networks).chain(nodes).chain(events);
    all.chain([Row::Reconcile(reconcile)]).collect()
}

fn usage(chance: &mut Chance) -> PodUsage {
    row!(chance, PodUsage {
        timestamp, ec2_instance_id, pod_id, namespace, owner, cpu_usage_cores, memory_usage_bytes,
        net_tx_bytes, net_rx_bytes, requests_cpu_millicores, requests_memory_bytes,
        limits_cpu_millicores, limits_memory_bytes, labels, annotations, pvc_count,
        total_pvc_storage_bytes, pvc_names, aws_volume_ids, window_start, window_end, is_final,
        host_network, qos, workload_kind, workload, zone, region, instance_type, cpu_seconds,
        cpu_peak_cores, cpu_p99_cores, cpu_over_request_seconds, cpu_throttled_seconds,
        cpu_throttled_periods, cpu_burst_periods, memory_working_set_bytes, memory_rss_bytes,
        memory_peak_bytes, oom_kills, restarts, net_tx_bytes_delta, net_tx_packets_delta,
        net_rx_bytes_delta, net_rx_packets_delta, io_read_bytes_delta, io_write_bytes_delta,
        sources, lost_events, cgroup_id, closing, pod_name, swap_usage_bytes,
        psi_cpu_some_seconds, psi_cpu_full_seconds, psi_memory_some_seconds,
        psi_memory_full_seconds, psi_io_some_seconds, psi_io_full_seconds,
    } with
        cluster_id: String::new(),
        node_name: String::new(),
        boot_id: String::new(),
        epoch: String::new(),
        seq: 0,
    )
}

fn network(chance: &mut Chance) -> PodNetwork {
    row!(chance, PodNetwork {
        timestamp, pod_id, class, window_start, window_end, tx_bytes_delta, tx_packets_delta,
        rx_bytes_delta, rx_packets_delta, cgroup_id, namespace, pod_name,
    } with origin: Origin::default())
}

fn node(chance: &mut Chance) -> NodeUsage {
    row!(chance, NodeUsage {
        timestamp, window_start, window_end, ec2_instance_id, instance_type, zone, zone_id, region,
        capacity_type, kernel_version, cpus, cpu_usage_cores, cpu_user_seconds,
        cpu_system_seconds, cpu_idle_seconds, cpu_iowait_seconds, cpu_steal_seconds, load_1,
        load_5, load_15, memory_total_bytes, memory_available_bytes, memory_working_set_bytes,
        swap_total_bytes, swap_usage_bytes, psi_cpu_some_seconds, psi_memory_some_seconds,
        psi_memory_full_seconds, psi_io_some_seconds, psi_io_full_seconds, nic_tx_bytes,
        nic_tx_packets, nic_tx_dropped, nic_rx_bytes, nic_rx_packets, nic_rx_dropped, nics, pods,
        uptime_seconds, sources,
    } with origin: Origin::default())
}

fn event(chance: &mut Chance) -> Event {
    row!(chance, Event {
        timestamp, kind, pod_id, message, incident, outcome, pid, comm, peak_rss_bytes,
        allocator_pid, cgroup_id, container, reason, exit_code, namespace, pod_name,
    } with origin: Origin::default())
}

fn balance(chance: &mut Chance) -> Balance {
    row!(
        chance,
        Balance {
            total,
            rows,
            unattributed,
            in_flight
        }
    )
}

fn reconcile(chance: &mut Chance) -> Reconcile {
    row!(chance, Reconcile {
        timestamp, window_start, window_end, rows_pod_usage, rows_pod_network, rows_events,
        rows_node_usage, losses, sources, nic_tx_bytes, nic_tx_packets, nic_rx_bytes,
        nic_rx_packets, proc_cpu_ns, kubelet_cpu_ns, kubelet_pods_cpu_ns, kubelet_tx_bytes,
        kubelet_rx_bytes, kubelet_seconds,
    } with
        cpu_ns: balance(chance),
        net_tx_bytes: balance(chance),
        net_tx_packets: balance(chance),
        net_rx_bytes: balance(chance),
        net_rx_packets: balance(chance),
        origin: Origin::default(),
    )
}
