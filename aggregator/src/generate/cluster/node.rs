//! A node: its machine, what runs on it, and the batches of its agent.

use bytes::Bytes;
use protocol::{
    Balance, Counts, Epoch, Header, NodeUsage, PodUsage, Reconcile, Row, Table, Timestamp,
    encode_rows,
};
use rand::{Rng as _, rngs::StdRng};

use super::{Shape, pod::Pod, random::stream, slot::Slot, workload::Kind};
use crate::{
    generate::agent::{names, node},
    held::{Held, Sender},
};

const GIB: i64 = 1 << 30;
/// Type, CPUs, GiB.
const TYPES: [(&str, i64, i64); 3] = [
    ("m6i.4xlarge", 16, 64),
    ("m7g.4xlarge", 16, 64),
    ("r6i.4xlarge", 16, 128),
];
const ZONES: [(&str, &str); 3] = [
    ("eu-central-1a", "euc1-az2"),
    ("eu-central-1b", "euc1-az3"),
    ("eu-central-1c", "euc1-az1"),
];
const REGION: &str = "eu-central-1";
/// Memory of what is no pod.
const SYSTEM: i64 = 900 << 20;
/// An agent's timer is late by up to so much.
const LATE_US: i64 = 2_000;

/// What a node is made of.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    number: u64,
    name: String,
    instance: String,
    kind: (&'static str, i64, i64),
    zone: (&'static str, &'static str),
    is_spot: bool,
}

impl Machine {
    /// Of this number.
    pub fn new(number: u64) -> Self {
        let [second, third, fourth] = [number / 62_500, number / 250 % 250, number % 250 + 4];
        Self {
            number,
            name: format!("ip-10-{second}-{third}-{fourth}.{REGION}.compute.internal"),
            instance: format!("i-0{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            kind: TYPES[(number / 3 % 3) as usize],
            zone: ZONES[(number % 3) as usize],
            is_spot: number % 4 == 3,
        }
    }

    /// What every row of a pod tells of it.
    pub fn fill(&self, usage: &mut PodUsage) {
        usage.ec2_instance_id = Some(self.instance.clone());
        usage.instance_type = Some(self.kind.0.to_owned());
        usage.zone = Some(self.zone.0.to_owned());
        usage.region = Some(REGION.to_owned());
    }
}

/// See the module.
pub(super) struct Node {
    shape: Shape,
    machine: Machine,
    rng: StdRng,
    epoch: Epoch,
    boot_id: String,
    seq: u64,
    /// End of the last window.
    ended: Timestamp,
    slots: Vec<Slot>,
    pods: Vec<Pod>,
    /// CPU time that no row has told yet.
    in_flight_ns: i64,
}

impl Node {
    /// Before its first window.
    pub fn new(shape: &Shape, machine: Machine, slots: Vec<Slot>) -> Self {
        let mut rng = stream(shape.seed, "node", machine.number);
        Self {
            shape: shape.clone(),
            epoch: Epoch(rng.random()),
            boot_id: names::uid(&mut rng),
            rng,
            machine,
            seq: 0,
            ended: shape.start,
            slots,
            pods: Vec::new(),
            in_flight_ns: 0,
        }
    }

    /// The next window's batch. `rows` is empty before and after: its memory is used again.
    pub fn window(&mut self, rows: &mut Vec<Row>) -> Held {
        self.seq += 1;
        let start = self.ended;
        let due_us = self.shape.interval_us.saturating_mul(self.seq as i64);
        let mut end = self.shape.start.plus_us(due_us);
        if end < self.shape.end() {
            end = end.plus_us(self.rng.random_range(0..LATE_US));
        }
        self.ended = end;
        self.bear(end);
        let (mut networks, mut events, mut beings) = (Vec::new(), Vec::new(), Vec::new());
        let cpus = self.machine.kind.1 as f64;
        for mut pod in self.pods.drain(..) {
            let (traffic, happened) = pod.live(&mut self.rng, (start, end), cpus);
            networks.extend(traffic);
            events.extend(happened);
            // Rows are lent to the batch: to copy their texts would take longer than all else here.
            rows.push(Row::PodUsage(pod.usage));
            beings.push(pod.being);
        }
        rows.extend(networks.into_iter().map(Row::PodNetwork));
        rows.extend(events.into_iter().map(Row::Events));
        self.tell((start, end), rows);
        let held = self.batch((start, end), rows);
        let returned = rows.drain(..).zip(beings);
        self.pods
            .extend(returned.filter_map(|(row, being)| match row {
                Row::PodUsage(usage) if !usage.is_final => Some(Pod { usage, being }),
                _ => None,
            }));
        held
    }

    /// Those whose lives begin in the window.
    fn bear(&mut self, end: Timestamp) {
        let before = self.pods.len();
        for slot in &mut self.slots {
            while let Some(life) = slot.born(end.unix_us, &mut self.rng) {
                let pod = Pod::new(&mut self.rng, &self.machine, slot, life, &self.shape);
                self.pods.push(pod);
            }
        }
        if self.pods.len() > before {
            // As an agent does before it encodes them.
            self.pods
                .sort_by(|left, right| left.place().cmp(&right.place()));
        }
    }

    /// The node's own row, and the balance of all.
    fn tell(&mut self, (start, end): (Timestamp, Timestamp), rows: &mut Vec<Row>) {
        let mut reconcile = Reconcile {
            timestamp: end,
            window_start: start,
            window_end: end,
            losses: node::LOSSES.map(|name| format!("{name}=0")).into(),
            sources: node::SOURCES.map(|name| format!("{name}=kernel")).into(),
            ..Reconcile::default()
        };
        node::balance(&mut reconcile, rows);
        reconcile.rows_node_usage = 1;
        self.leave_in_flight(&mut reconcile.cpu_ns);
        let usage = self.usage((start, end), rows, &reconcile);
        reconcile.nic_tx_bytes = usage.nic_tx_bytes;
        reconcile.nic_tx_packets = usage.nic_tx_packets;
        reconcile.nic_rx_bytes = usage.nic_rx_bytes;
        reconcile.nic_rx_packets = usage.nic_rx_packets;
        let busy = usage.cpu_user_seconds.unwrap_or(0.0) + usage.cpu_system_seconds.unwrap_or(0.0);
        reconcile.proc_cpu_ns = Some((busy * 1e9) as i64);
        let kubelet_us = reconcile.cpu_ns.total / 1_000 + self.rng.random_range(-50_000..50_000);
        reconcile.kubelet_cpu_ns = Some(kubelet_us.max(0) * 1_000);
        reconcile.kubelet_tx_bytes = usage.nic_tx_bytes;
        reconcile.kubelet_rx_bytes = usage.nic_rx_bytes;
        let late = self.rng.random_range(-0.4..0.4_f64);
        reconcile.kubelet_seconds =
            Some(self.shape.interval_us as f64 / 1e6 + (late * 1e6).round() / 1e6);
        rows.push(Row::NodeUsage(usage));
        rows.push(Row::Reconcile(reconcile));
    }

    /// Totals are read after the rows: a little has come in between.
    fn leave_in_flight(&mut self, cpu_ns: &mut Balance) {
        let before_ns = std::mem::replace(
            &mut self.in_flight_ns,
            self.rng.random_range(0..2_000) * 1_000,
        );
        cpu_ns.in_flight = self.in_flight_ns;
        cpu_ns.total = cpu_ns.rows + self.in_flight_ns - before_ns;
    }

    fn usage(
        &mut self,
        window: (Timestamp, Timestamp),
        rows: &[Row],
        told: &Reconcile,
    ) -> NodeUsage {
        let seconds = (window.1.unix_us - window.0.unix_us) as f64 / 1e6;
        let hundredths = |value: f64| (value * 100.0).round() / 100.0;
        let (kind, cpus, gib) = self.machine.kind;
        let busy = told.cpu_ns.total as f64 / 1e9;
        let system = hundredths(busy * self.rng.random_range(0.2..0.35));
        let user = hundredths(busy - system).max(0.0);
        let idle = hundredths((cpus as f64 * seconds - busy).max(0.0));
        let load = busy / seconds * self.rng.random_range(0.9..1.4);
        let of_pods = rows.iter().filter_map(|row| match row {
            Row::PodUsage(usage) => usage.memory_working_set_bytes,
            _ => None,
        });
        let working_set = SYSTEM + of_pods.sum::<i64>();
        let services = self
            .slots
            .iter()
            .filter(|slot| slot.workload.kind == Kind::Service)
            .count();
        NodeUsage {
            timestamp: window.1,
            window_start: window.0,
            window_end: window.1,
            ec2_instance_id: Some(self.machine.instance.clone()),
            instance_type: Some(kind.to_owned()),
            zone: Some(self.machine.zone.0.to_owned()),
            zone_id: Some(self.machine.zone.1.to_owned()),
            region: Some(REGION.to_owned()),
            capacity_type: Some(
                if self.machine.is_spot {
                    "spot"
                } else {
                    "on-demand"
                }
                .to_owned(),
            ),
            kernel_version: Some("6.12.46-66.121.amzn2023.x86_64".to_owned()),
            cpus: Some(cpus),
            cpu_usage_cores: Some((user + system) / seconds),
            cpu_user_seconds: Some(user),
            cpu_system_seconds: Some(system),
            cpu_idle_seconds: Some(idle),
            cpu_iowait_seconds: Some(hundredths(idle * 0.001)),
            cpu_steal_seconds: Some(0.0),
            load_1: Some(hundredths(load)),
            load_5: Some(hundredths(load * 0.97)),
            load_15: Some(hundredths(load * 0.95)),
            memory_total_bytes: Some(gib * GIB / 100 * 97),
            memory_available_bytes: Some((gib * GIB / 100 * 97 - working_set).max(0)),
            memory_working_set_bytes: Some(working_set),
            swap_total_bytes: Some(0),
            swap_usage_bytes: Some(0),
            psi_cpu_some_seconds: Some((load * 0.02 * 1e6).round() / 1e6),
            psi_memory_some_seconds: Some(0.0),
            psi_memory_full_seconds: Some(0.0),
            psi_io_some_seconds: Some(0.0),
            psi_io_full_seconds: Some(0.0),
            nic_tx_bytes: Some(told.net_tx_bytes.total / 100 * 98),
            nic_tx_packets: Some(told.net_tx_packets.total),
            nic_tx_dropped: Some(0),
            nic_rx_bytes: Some(told.net_rx_bytes.total / 100 * 98),
            nic_rx_packets: Some(told.net_rx_packets.total),
            nic_rx_dropped: Some(0),
            nics: Some(vec!["ens5".to_owned()]),
            pods: Some(told.rows_pod_usage - services as i64),
            uptime_seconds: Some(864_000.0 + hundredths(self.seq as f64 * seconds)),
            sources: ["node=proc", "instance=imds", "memory_working_set=kubelet"]
                .map(str::to_owned)
                .into(),
            ..NodeUsage::default()
        }
    }

    fn batch(&self, (start, end): (Timestamp, Timestamp), rows: &[Row]) -> Held {
        let header = Header {
            cluster: self.shape.cluster.clone(),
            node: self.machine.name.clone(),
            boot_id: self.boot_id.clone(),
            epoch: self.epoch,
            seq: self.seq,
            previous: None,
            window_start: start,
            window_end: end,
        };
        let mut counts = Counts::default();
        for row in rows {
            counts[row.table()] += 1;
        }
        debug_assert_eq!(counts[Table::Reconcile], 1);
        let frame = Bytes::from(encode_rows(&header, rows));
        Held {
            sender: Sender {
                node: header.node.into(),
                epoch: header.epoch,
            },
            cluster: header.cluster.into(),
            seq: header.seq,
            previous: None,
            window_end: end,
            rows: counts,
            gap: None,
            frame,
        }
    }
}
