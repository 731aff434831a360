//! Constants of the running kernel and of this load, set by user space before the verifier runs,
//! so that it sees them as constants. Read by volatile loads: the compiler sees only zeros.

use agent_common::control::Offsets;

/// Version of these programs, compared with `ACTIVE`.
#[unsafe(no_mangle)]
static VERSION: u32 = 0;
/// Jiffies in one slot of 20 ms.
#[unsafe(no_mangle)]
static JIFFIES_PER_SLOT: u64 = 1;
/// Shards of a cgroup's network account, less one.
#[unsafe(no_mangle)]
static SHARD_MASK: u32 = 0;
/// Places of the table of CPU accounts, less one.
#[unsafe(no_mangle)]
static CPU_MASK: u32 = 0;
/// Places of the table of network accounts, less one.
#[unsafe(no_mangle)]
static NETWORK_MASK: u32 = 0;
/// Index of the loopback interface; 0 leaves loopback to the prefix tables, for measurements.
#[unsafe(no_mangle)]
static LOOPBACK_IFINDEX: u32 = 1;
/// Where the fields lie that the programs read.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets {
    task_cgroups: 0,
    css_set_dfl_cgrp: 0,
    cgroup_kn: 0,
    cgroup_root: 0,
    cgroup_level: 0,
    cgroup_root_hierarchy_id: 0,
    kernfs_node_id: 0,
    task_signal: 0,
    task_exit_code: 0,
    signal_live: 0,
    signal_maxrss: 0,
    task_tgid: 0,
    task_group_leader: 0,
    task_comm: 0,
};

/// Reads one of the statics above as the loader set it.
macro_rules! global {
    ($place:expr) => {
        // SAFETY: a static of plain integers.
        unsafe { core::ptr::read_volatile(&raw const $place) }
    };
}

#[inline(always)]
pub(crate) fn version() -> u32 {
    global!(VERSION)
}

#[inline(always)]
pub(crate) fn jiffies_per_slot() -> u64 {
    global!(JIFFIES_PER_SLOT)
}

#[inline(always)]
pub(crate) fn shard_mask() -> u32 {
    global!(SHARD_MASK)
}

#[inline(always)]
pub(crate) fn cpu_mask() -> u32 {
    global!(CPU_MASK)
}

#[inline(always)]
pub(crate) fn network_mask() -> u32 {
    global!(NETWORK_MASK)
}

#[inline(always)]
pub(crate) fn loopback_ifindex() -> u32 {
    global!(LOOPBACK_IFINDEX)
}

/// Offset of one field, by its name in [`Offsets`].
macro_rules! offset {
    ($field:ident) => {
        crate::globals::offset_in(|offsets| &offsets.$field)
    };
}
pub(crate) use offset;

/// The offset that `choose` points at.
#[inline(always)]
pub(crate) fn offset_in(choose: impl FnOnce(&'static Offsets) -> &'static u32) -> usize {
    // SAFETY: a static of plain integers.
    unsafe { core::ptr::read_volatile(choose(&OFFSETS)) as usize }
}
