//! Memory and swap of the node.

use super::file::Files;
use serde::{Deserialize, Serialize};

/// Memory at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Memory there is.
    pub total_bytes: Option<u64>,
    /// Memory that could be had without swapping.
    pub available_bytes: Option<u64>,
    /// Memory in use by the kubelet's measure.
    pub working_set_bytes: Option<u64>,
    /// Swap there is.
    pub swap_total_bytes: Option<u64>,
    /// Swap that nothing is in.
    pub swap_free_bytes: Option<u64>,
}

impl Memory {
    /// Swap in use.
    pub fn swap_usage_bytes(&self) -> Option<u64> {
        let free = self.swap_free_bytes?;
        Some(self.swap_total_bytes?.saturating_sub(free))
    }
}

pub(super) fn read(files: &mut Files<'_>) -> Memory {
    let mut memory = Memory::default();
    if let Some(text) = files.proc("meminfo") {
        memory.total_bytes = kibibytes(&text, "MemTotal:");
        memory.available_bytes = kibibytes(&text, "MemAvailable:");
        memory.swap_total_bytes = kibibytes(&text, "SwapTotal:");
        memory.swap_free_bytes = kibibytes(&text, "SwapFree:");
    }
    memory.working_set_bytes = working_set(files).or_else(|| working_set_v1(files));
    memory
}

/// `MemTotal:        2988816 kB`
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value = value.trim().strip_suffix(" kB")?;
    value.parse::<u64>().ok()?.checked_mul(1024)
}

/// What the kubelet does, by way of runc: the top cgroup has no `memory.current`, and anonymous memory
/// and page cache together take its place. A cgroup that has one is not the top: a pod's own, when the
/// host's hierarchy is not mounted.
fn working_set(files: &mut Files<'_>) -> Option<u64> {
    if files.sys_path("fs/cgroup/memory.current").exists() {
        return None;
    }
    let text = files.sys("fs/cgroup/memory.stat")?;
    let (anon, file) = (stat(&text, "anon")?, stat(&text, "file")?);
    let usage = anon.checked_add(file)?;
    Some(usage.saturating_sub(stat(&text, "inactive_file")?))
}

/// The same of a v1 hierarchy, beside which a hybrid host has the v2 one. Only the top of one has a
/// release agent.
fn working_set_v1(files: &mut Files<'_>) -> Option<u64> {
    if !files.sys_path("fs/cgroup/memory/release_agent").exists() {
        return None;
    }
    let usage = files.sys("fs/cgroup/memory/memory.usage_in_bytes")?;
    let usage: u64 = usage.trim_end().parse().ok()?;
    let text = files.sys("fs/cgroup/memory/memory.stat")?;
    Some(usage.saturating_sub(stat(&text, "total_inactive_file")?))
}

/// `anon 194473984`
fn stat(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.parse().ok()
}
