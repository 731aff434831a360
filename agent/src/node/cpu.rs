//! CPU time of all CPUs by mode, from `/proc/stat`.

use serde::{Deserialize, Serialize};

const SECOND_NS: u128 = 1_000_000_000;

/// CPU time by what it was spent on. Each counter is in steps of a tick, mostly 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTimes {
    /// In user mode, guests included.
    pub user_ns: u64,
    /// In the kernel, interrupts included.
    pub system_ns: u64,
    /// With nothing to do.
    pub idle_ns: u64,
    /// Idle with a block device to wait for. The kernel may take some of it back.
    pub iowait_ns: u64,
    /// Given to others by the hypervisor.
    pub steal_ns: u64,
}

/// From the first line, which adds up all CPUs. Its fields are in ticks: user, nice, system, idle, iowait,
/// irq, softirq, steal, and guests' time, which the first two hold already.
pub(super) fn times(stat: &str, ticks_per_second: u64) -> Option<CpuTimes> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let mut ticks = [0_u64; 8];
    let mut fields = line.split_ascii_whitespace();
    for ticks in &mut ticks {
        *ticks = fields.next()?.parse().ok()?;
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] = ticks;
    let ns = |modes: &[u64]| -> Option<u64> {
        let ticks: u128 = modes.iter().copied().map(u128::from).sum();
        let ns = (ticks * SECOND_NS).checked_div(u128::from(ticks_per_second))?;
        ns.try_into().ok()
    };
    Some(CpuTimes {
        user_ns: ns(&[user, nice])?,
        system_ns: ns(&[system, irq, softirq])?,
        idle_ns: ns(&[idle])?,
        iowait_ns: ns(&[iowait])?,
        steal_ns: ns(&[steal])?,
    })
}

/// CPUs with a line of their own.
pub(super) fn online(stat: &str) -> Option<u32> {
    let is_cpu = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let count = stat.lines().filter(is_cpu).count();
    u32::try_from(count).ok().filter(|count| *count > 0)
}

/// The line `btime`.
pub(super) fn boot_time(stat: &str) -> Option<u64> {
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    seconds.trim_end().parse().ok()
}
