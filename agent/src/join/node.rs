//! The node's own row, and what the reconcile row tells of interfaces and the kubelet.

use std::time::Duration;

use protocol::{NodeUsage, Reconcile};
use serde::{Deserialize, Serialize};

use super::{
    balance::signed,
    known::Known,
    rows::{Window, seconds},
    sample::Mark,
};
use crate::{
    cgroups::Pressure,
    node::{self, NicTraffic, NodeReading, NodeWindow},
};

/// What the pods' rows add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Pods with a row.
    pub pods: u64,
    /// Their CPU time between the kubelet's last two samples.
    pub kubelet_cpu_ns: u64,
}

/// The node's counters as of the last row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeLedger {
    reading: Option<NodeReading>,
    kubelet: Option<Mark>,
}

impl NodeLedger {
    /// The node's row of a window; fills the node's columns of the reconcile row as well.
    pub fn close(
        &mut self,
        window: &Window<'_>,
        known: &Known<'_>,
        tally: &Tally,
        reconcile: &mut Reconcile,
    ) -> NodeUsage {
        let mut usage = blank(window);
        usage.pods = Some(signed(tally.pods));
        place(&mut usage, known);
        if let Some(reading) = &known.node {
            levels(&mut usage, reading);
            if let Some(before) = &self.reading {
                let length = Duration::from_nanos(window.length_ns);
                let change = node::window(before, reading, length);
                differences(&mut usage, &change);
                reconcile.proc_cpu_ns = change
                    .cpu
                    .map(|cpu| signed(cpu.user_ns.saturating_add(cpu.system_ns)));
                if let Some(nic) = change.nic {
                    interfaces(&mut usage, reconcile, &nic);
                }
            }
            usage.sources.push("node=proc".to_owned());
            self.reading = known.node.clone();
        }
        self.kubelet(&mut usage, known, tally, reconcile);
        usage
    }

    fn kubelet(
        &mut self,
        usage: &mut NodeUsage,
        known: &Known<'_>,
        tally: &Tally,
        reconcile: &mut Reconcile,
    ) {
        let Some(sample) = known.sample else { return };
        let memory = sample.summary.node.memory;
        if let Some(bytes) = memory.and_then(|memory| memory.working_set_bytes) {
            usage.memory_working_set_bytes = Some(signed(bytes));
            usage.sources.push("memory_working_set=kubelet".to_owned());
        }
        let mark = Mark::of_node(&sample.summary.node);
        if let Some(before) = self.kubelet {
            let since = mark.since(&before);
            reconcile.kubelet_cpu_ns = since.cpu_ns.map(signed);
            reconcile.kubelet_pods_cpu_ns = Some(signed(tally.kubelet_cpu_ns));
            reconcile.kubelet_tx_bytes = since.network.map(|[tx_bytes, _]| signed(tx_bytes));
            reconcile.kubelet_rx_bytes = since.network.map(|[_, rx_bytes]| signed(rx_bytes));
            reconcile.kubelet_seconds = since.seconds;
        }
        self.kubelet.get_or_insert(mark).advance(&mark);
    }
}

fn blank(window: &Window<'_>) -> NodeUsage {
    NodeUsage {
        timestamp: window.end,
        window_start: window.start,
        window_end: window.end,
        origin: window.origin.clone(),
        ..NodeUsage::default()
    }
}

fn place(usage: &mut NodeUsage, known: &Known<'_>) {
    let Some((instance, source)) = known.instance else {
        return;
    };
    usage.ec2_instance_id.clone_from(&instance.instance_id);
    usage.instance_type.clone_from(&instance.instance_type);
    usage.zone.clone_from(&instance.zone);
    usage.zone_id.clone_from(&instance.zone_id);
    usage.region.clone_from(&instance.region);
    usage.capacity_type.clone_from(&instance.capacity_type);
    usage.sources.push(format!("instance={source}"));
}
fn levels(usage: &mut NodeUsage, reading: &NodeReading) {
    usage.cpus = reading.online_cpus.map(i64::from);
    usage.kernel_version.clone_from(&reading.kernel_version);
    usage.uptime_seconds = reading.uptime_seconds;
    if let Some([one, five, fifteen]) = reading.load {
        (usage.load_1, usage.load_5, usage.load_15) = (Some(one), Some(five), Some(fifteen));
    }
    let memory = &reading.memory;
    usage.memory_total_bytes = memory.total_bytes.map(signed);
    usage.memory_available_bytes = memory.available_bytes.map(signed);
    usage.memory_working_set_bytes = memory.working_set_bytes.map(signed);
    usage.swap_total_bytes = memory.swap_total_bytes.map(signed);
    usage.swap_usage_bytes = memory.swap_usage_bytes().map(signed);
    let name = |nic: &node::Nic| nic.name.clone();
    usage.nics = reading
        .nics
        .as_ref()
        .map(|nics| nics.iter().map(name).collect());
}

fn differences(usage: &mut NodeUsage, change: &NodeWindow) {
    usage.cpu_usage_cores = change.cpu_usage_cores;
    if let Some(cpu) = change.cpu {
        usage.cpu_user_seconds = Some(seconds(cpu.user_ns));
        usage.cpu_system_seconds = Some(seconds(cpu.system_ns));
        usage.cpu_idle_seconds = Some(seconds(cpu.idle_ns));
        usage.cpu_iowait_seconds = Some(seconds(cpu.iowait_ns));
        usage.cpu_steal_seconds = Some(seconds(cpu.steal_ns));
    }
    let some = |pressure: Pressure| pressure.some_usec.map(|us| us as f64 / 1e6);
    let full = |pressure: Pressure| pressure.full_usec.map(|us| us as f64 / 1e6);
    usage.psi_cpu_some_seconds = some(change.cpu_pressure);
    usage.psi_memory_some_seconds = some(change.memory_pressure);
    usage.psi_memory_full_seconds = full(change.memory_pressure);
    usage.psi_io_some_seconds = some(change.io_pressure);
    usage.psi_io_full_seconds = full(change.io_pressure);
}

fn interfaces(usage: &mut NodeUsage, reconcile: &mut Reconcile, nic: &NicTraffic) {
    usage.nic_tx_bytes = Some(signed(nic.tx_bytes));
    usage.nic_tx_packets = Some(signed(nic.tx_packets));
    usage.nic_tx_dropped = Some(signed(nic.tx_dropped));
    usage.nic_rx_bytes = Some(signed(nic.rx_bytes));
    usage.nic_rx_packets = Some(signed(nic.rx_packets));
    usage.nic_rx_dropped = Some(signed(nic.rx_dropped));
    reconcile.nic_tx_bytes = usage.nic_tx_bytes;
    reconcile.nic_tx_packets = usage.nic_tx_packets;
    reconcile.nic_rx_bytes = usage.nic_rx_bytes;
    reconcile.nic_rx_packets = usage.nic_rx_packets;
}
