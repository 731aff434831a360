//! A node: what runs on it, and the batches of its agent.

use bytes::Bytes;
use protocol::{
    Balance, Counts, Epoch, Header, NodeUsage, Reconcile, Row, Table, Timestamp, encode_rows,
};
use rand::{Rng as _, rngs::StdRng};

use super::{Shape, machine::Machine, pod::Pod, random::stream, slot::Slot, workload::Kind};
use crate::{
    generate::agent::{names, node},
    held::{Held, Sender},
};

/// An agent's timer is late by up to so much.
const LATE_US: i64 = 2_000;

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
        let cpus = self.machine.cpus() as f64;
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
        (start, end): (Timestamp, Timestamp),
        rows: &[Row],
        told: &Reconcile,
    ) -> NodeUsage {
        let is_service = |slot: &&Slot| slot.workload.kind == Kind::Service;
        let services = self.slots.iter().filter(is_service).count();
        let of_pods = rows.iter().filter_map(|row| match row {
            Row::PodUsage(usage) => usage.memory_working_set_bytes,
            _ => None,
        });
        let mut usage = NodeUsage {
            timestamp: end,
            window_start: start,
            window_end: end,
            memory_working_set_bytes: Some(of_pods.sum()),
            pods: Some(told.rows_pod_usage - services as i64),
            uptime_seconds: Some(
                (self.seq as i64 * self.shape.interval_us / 10_000) as f64 / 100.0,
            ),
            ..NodeUsage::default()
        };
        self.machine.tell(&mut usage, &mut self.rng, told);
        usage
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
