//! The cgroup v2 hierarchy as files: where it is mounted, which cgroups there are, what their files tell,
//! and whose they are by their paths.

mod files;
mod hierarchy;
mod memory;
mod pod_path;
mod stat;
mod usage;

pub use files::{CgroupFile, CgroupFiles, FileReader, Pressure};
pub use hierarchy::{Cgroup, find_root, list};
pub use memory::oom_group;
pub use pod_path::{PodPath, Qos, Runtime, pod_path, pod_paths};
pub use stat::{CpuStat, read_cpu_stat};
pub use usage::FileCpu;
