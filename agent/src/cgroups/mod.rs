//! The cgroup v2 hierarchy as files: where it is mounted, which cgroups there are, `cpu.stat`.

mod hierarchy;
mod stat;

pub use hierarchy::{Cgroup, find_root, list};
pub use stat::{CpuStat, read_cpu_stat};
