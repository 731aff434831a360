//! Walks from a task to its cgroup and signal state. Pointers come from BTF tracepoints, so the
//! verifier knows their types, checks each constant offset against BTF and lets plain loads through.

use crate::globals::offset;

/// A field `T` at `offset` bytes from `base`.
#[inline(always)]
pub(crate) unsafe fn field<T: Copy>(base: *const u8, offset: usize) -> T {
    // SAFETY: the verifier checks type and offset; a fault reads as zero.
    unsafe { core::ptr::read_volatile(base.add(offset).cast::<T>()) }
}

/// Id of a cgroup.
#[inline(always)]
pub(crate) unsafe fn cgroup_id(cgroup: *const u8) -> u64 {
    // SAFETY: see `field`.
    unsafe {
        let node: *const u8 = field(cgroup, offset!(cgroup_kn));
        field(node, offset!(kernfs_node_id))
    }
}

/// Id of the v2 cgroup of a task.
#[inline(always)]
pub(crate) unsafe fn task_cgroup_id(task: *const u8) -> u64 {
    // SAFETY: see `field`.
    unsafe {
        let set: *const u8 = field(task, offset!(task_cgroups));
        let cgroup: *const u8 = field(set, offset!(css_set_dfl_cgrp));
        cgroup_id(cgroup)
    }
}
