//! The cgroup v2 hierarchy as files: where it is mounted, which cgroups there are, `cpu.stat`.

mod hierarchy;
mod memory;
mod stat;
mod usage;

pub use hierarchy::{Cgroup, find_root, list};
pub use memory::oom_group;
pub use stat::{CpuStat, read_cpu_stat};
pub use usage::FileCpu;
