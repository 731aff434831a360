//! The node as its own files tell it: `/proc` and `/sys`.
//!
//! [`read`] takes their roots, since a pod sees the host's wherever they are mounted. What a file does not
//! tell, or tells wrong, is absent, each figure by itself.

mod cpu;
mod delta;
mod file;
mod memory;
mod network;

use std::path::Path;

pub use cpu::CpuTimes;
pub use delta::{NicTraffic, NodeWindow, window};
pub use memory::Memory;
pub use network::Nic;

use serde::{Deserialize, Serialize};

use crate::cgroups::Pressure;
use file::Files;

/// What the node's files told at one moment; counters are those since its boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeReading {
    /// CPU time of all CPUs.
    pub cpu: Option<CpuTimes>,
    /// CPUs that are online.
    pub online_cpus: Option<u32>,
    /// Load over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory and swap.
    pub memory: Memory,
    /// Waits for CPU; that all tasks wait for it is no state of a whole node.
    pub cpu_pressure: Pressure,
    /// Waits for memory.
    pub memory_pressure: Pressure,
    /// Waits for block devices.
    pub io_pressure: Pressure,
    /// The node's own interfaces, by name.
    pub nics: Option<Vec<Nic>>,
    /// Time since boot, suspend included.
    pub uptime_seconds: Option<f64>,
    /// Version of the kernel, as `uname -r` tells it.
    pub kernel_version: Option<String>,
    /// When it booted, in seconds since 1970, by today's clock.
    pub boot_time_unix_seconds: Option<u64>,
}

/// Reads the node below the mount points of its `/proc` and `/sys`.
pub fn read(proc: &Path, sys: &Path) -> NodeReading {
    read_at(proc, sys, procfs::ticks_per_second())
}

/// With so many ticks of CPU time in a second.
fn read_at(proc: &Path, sys: &Path, ticks_per_second: u64) -> NodeReading {
    let mut files = Files::new(proc, sys);
    let mut reading = NodeReading {
        memory: memory::read(&mut files),
        nics: network::read(&mut files),
        ..NodeReading::default()
    };
    if let Some(stat) = files.proc("stat") {
        reading.cpu = cpu::times(&stat, ticks_per_second);
        reading.online_cpus = cpu::online(&stat);
        reading.boot_time_unix_seconds = cpu::boot_time(&stat);
    }
    reading.load = files.proc("loadavg").and_then(|text| load(&text));
    reading.cpu_pressure = pressure(&mut files, "pressure/cpu");
    reading.memory_pressure = pressure(&mut files, "pressure/memory");
    reading.io_pressure = pressure(&mut files, "pressure/io");
    reading.uptime_seconds = files.proc("uptime").and_then(|text| uptime(&text));
    reading.kernel_version = kernel_version(&mut files);
    reading
}

fn pressure(files: &mut Files<'_>, name: &str) -> Pressure {
    let text = files.proc(name);
    text.map(|text| Pressure::parse(&text)).unwrap_or_default()
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut fields = text.split_ascii_whitespace().map(seconds);
    Some([fields.next()??, fields.next()??, fields.next()??])
}

fn uptime(text: &str) -> Option<f64> {
    seconds(text.split_ascii_whitespace().next()?)
}

/// Parsers of floats take `inf`, `NaN` and `-1` as well.
fn seconds(field: &str) -> Option<f64> {
    let number: f64 = field.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn kernel_version(files: &mut Files<'_>) -> Option<String> {
    if let Some(release) = files.proc("sys/kernel/osrelease") {
        return Some(release.trim_end().to_owned()).filter(|release| !release.is_empty());
    }
    // `Linux version 6.1.0 ...`
    let version = files.proc("version")?;
    version.split(' ').nth(2).map(str::to_owned)
}

#[cfg(test)]
mod tests;
