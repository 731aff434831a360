//! Cells that steer the programs: written by user space, read by the kernel.

/// Index in the map `CONTROL` of the number of the open row window. Tags the CPU peaks.
pub const CONTROL_WINDOW: u32 = 0;
/// Index in the map `CONTROL` of the generation of the class prefixes. Empties the class caches.
pub const CONTROL_CLASS_GENERATION: u32 = 1;
/// Index in the map `CONTROL` of the number drawn when these counters began: whoever kept a
/// baseline of them compares it.
pub const CONTROL_INCARNATION: u32 = 2;
/// Cells in the map `CONTROL`.
pub const CONTROL_CELLS: u32 = 3;

/// Cells in the map `ACTIVE`, one for each CPU: the version of the programs that count there.
/// A program of another version returns at once, so that a swap is one store on each CPU.
pub const ACTIVE_CELLS: u32 = 8_192;

/// Where fields lie in structs of the running kernel, read from its BTF by user space and set
/// before the programs are loaded. All in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.cgroups`
    pub task_cgroups: u32,
    /// `css_set.dfl_cgrp`
    pub css_set_dfl_cgrp: u32,
    /// `cgroup.kn`
    pub cgroup_kn: u32,
    /// `cgroup.root`
    pub cgroup_root: u32,
    /// `cgroup.level`
    pub cgroup_level: u32,
    /// `cgroup_root.hierarchy_id`
    pub cgroup_root_hierarchy_id: u32,
    /// `kernfs_node.id`
    pub kernfs_node_id: u32,
    /// `task_struct.signal`
    pub task_signal: u32,
    /// `task_struct.exit_code`
    pub task_exit_code: u32,
    /// `signal_struct.live`
    pub signal_live: u32,
    /// `signal_struct.maxrss`
    pub signal_maxrss: u32,
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.group_leader`
    pub task_group_leader: u32,
    /// `task_struct.comm`
    pub task_comm: u32,
}

const _: () = assert!(size_of::<Offsets>() == 56);
