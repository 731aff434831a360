//! What the node did in one window: the difference of two readings.

use std::time::Duration;

use super::{CpuTimes, Nic, NodeReading};
use crate::cgroups::Pressure;

/// What happened between two readings. A figure is absent if either lacks it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeWindow {
    /// CPU time by mode.
    pub cpu: Option<CpuTimes>,
    /// Mean CPU in use, in user mode and in the kernel.
    pub cpu_usage_cores: Option<f64>,
    /// Waits for CPU.
    pub cpu_pressure: Pressure,
    /// Waits for memory.
    pub memory_pressure: Pressure,
    /// Waits for block devices.
    pub io_pressure: Pressure,
    /// What the node's own interfaces did, added up.
    pub nic: Option<NicTraffic>,
}

/// Traffic of all the node's own interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NicTraffic {
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets not sent.
    pub tx_dropped: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets not kept.
    pub rx_dropped: u64,
}

/// The difference of two readings that lie `length` apart by a clock that nobody sets.
pub fn window(before: &NodeReading, after: &NodeReading, length: Duration) -> NodeWindow {
    let cpu = both(before.cpu, after.cpu).map(|(before, after)| cpu_between(before, after));
    NodeWindow {
        cpu,
        cpu_usage_cores: cpu.and_then(|cpu| cores(cpu, length)),
        cpu_pressure: waits(before.cpu_pressure, after.cpu_pressure),
        memory_pressure: waits(before.memory_pressure, after.memory_pressure),
        io_pressure: waits(before.io_pressure, after.io_pressure),
        nic: both(before.nics.as_deref(), after.nics.as_deref())
            .map(|(before, after)| traffic(before, after)),
    }
}

fn both<T>(before: Option<T>, after: Option<T>) -> Option<(T, T)> {
    Some((before?, after?))
}

/// These counters can't begin anew while the node runs; what the kernel takes back is no usage.
fn cpu_between(before: CpuTimes, after: CpuTimes) -> CpuTimes {
    CpuTimes {
        user_ns: after.user_ns.saturating_sub(before.user_ns),
        system_ns: after.system_ns.saturating_sub(before.system_ns),
        idle_ns: after.idle_ns.saturating_sub(before.idle_ns),
        iowait_ns: after.iowait_ns.saturating_sub(before.iowait_ns),
        steal_ns: after.steal_ns.saturating_sub(before.steal_ns),
    }
}

fn cores(cpu: CpuTimes, length: Duration) -> Option<f64> {
    let used_ns = cpu.user_ns as f64 + cpu.system_ns as f64;
    let length_ns = length.as_nanos() as f64;
    (length_ns > 0.0).then(|| used_ns / length_ns)
}

fn waits(before: Pressure, after: Pressure) -> Pressure {
    let since = |before, after| {
        let (before, after): (u64, u64) = both(before, after)?;
        Some(after.saturating_sub(before))
    };
    Pressure {
        some_usec: since(before.some_usec, after.some_usec),
        full_usec: since(before.full_usec, after.full_usec),
    }
}

/// Interfaces that came count from their first reading on, since what they did before may be of any
/// age; those that went count no more.
fn traffic(before: &[Nic], after: &[Nic]) -> NicTraffic {
    let known = |nic: &Nic| before.iter().find(|old| old.name == nic.name).cloned();
    let pairs = after.iter().filter_map(|nic| Some((known(nic)?, nic)));
    pairs.fold(NicTraffic::default(), |sum, (old, new)| {
        add(sum, between(&old, new))
    })
}

/// One that was made again under its old name has fallen in some counter, and all of them began anew.
fn between(old: &Nic, new: &Nic) -> NicTraffic {
    let since = |old: &Nic| {
        Some(NicTraffic {
            tx_bytes: new.tx_bytes.checked_sub(old.tx_bytes)?,
            tx_packets: new.tx_packets.checked_sub(old.tx_packets)?,
            tx_dropped: new.tx_dropped.checked_sub(old.tx_dropped)?,
            rx_bytes: new.rx_bytes.checked_sub(old.rx_bytes)?,
            rx_packets: new.rx_packets.checked_sub(old.rx_packets)?,
            rx_dropped: new.rx_dropped.checked_sub(old.rx_dropped)?,
        })
    };
    since(old)
        .or_else(|| since(&Nic::default()))
        .unwrap_or_default()
}

fn add(sum: NicTraffic, nic: NicTraffic) -> NicTraffic {
    NicTraffic {
        tx_bytes: sum.tx_bytes.saturating_add(nic.tx_bytes),
        tx_packets: sum.tx_packets.saturating_add(nic.tx_packets),
        tx_dropped: sum.tx_dropped.saturating_add(nic.tx_dropped),
        rx_bytes: sum.rx_bytes.saturating_add(nic.rx_bytes),
        rx_packets: sum.rx_packets.saturating_add(nic.rx_packets),
        rx_dropped: sum.rx_dropped.saturating_add(nic.rx_dropped),
    }
}
