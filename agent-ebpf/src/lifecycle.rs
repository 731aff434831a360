//! Birth, removal and release of cgroups. The tracepoints fire for every hierarchy, and ids of the
//! v1 ones overlap with ours: only hierarchy 0, the unified one, is told.

use agent_common::{
    lifecycle::{CGROUP_BORN, CGROUP_RELEASED, CGROUP_REMOVED, CgroupRecord, PATH_BYTES},
    loss::LOSS_LIFECYCLE_RING,
};
use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::{
        bpf_ktime_get_boot_ns,
        generated::{bpf_probe_read_kernel_str, bpf_ringbuf_output},
    },
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};

use crate::{
    globals::offset,
    maps::{LIFECYCLE, LIFECYCLE_BYTES, LIFECYCLE_SCRATCH, LifecycleScratch, is_active, lose},
    task::{cgroup_id, field},
};

#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_born(ctx: BtfTracePointContext) -> i32 {
    tell(&ctx, CGROUP_BORN)
}

#[btf_tracepoint(function = "cgroup_rmdir")]
pub fn cgroup_removed(ctx: BtfTracePointContext) -> i32 {
    tell(&ctx, CGROUP_REMOVED)
}

#[btf_tracepoint(function = "cgroup_release")]
pub fn cgroup_released(ctx: BtfTracePointContext) -> i32 {
    tell(&ctx, CGROUP_RELEASED)
}

#[inline(always)]
fn tell(ctx: &BtfTracePointContext, kind: u32) -> i32 {
    if is_active() {
        // SAFETY: the first argument of these tracepoints is a cgroup, the second its path.
        unsafe { tell_cgroup(ctx.arg(0), ctx.arg(1), kind) };
        trace!(ctx, "cgroup record of kind {}", kind);
    }
    0
}

#[inline(always)]
unsafe fn tell_cgroup(cgroup: *const u8, path: *const u8, kind: u32) {
    // SAFETY: the verifier checks each offset against BTF.
    unsafe {
        let root: *const u8 = field(cgroup, offset!(cgroup_root));
        if field::<u32>(root, offset!(cgroup_root_hierarchy_id)) != 0 {
            return;
        }
        let Some(scratch) = LIFECYCLE_SCRATCH.get_ptr_mut(0) else {
            return;
        };
        let path_bytes = read_path(scratch, path);
        (*scratch).head = CgroupRecord {
            kind,
            path_bytes,
            cgroup_id: cgroup_id(cgroup),
            at_ns: bpf_ktime_get_boot_ns(),
            level: field(cgroup, offset!(cgroup_level)),
            reserved: 0,
        };
        send(scratch, path_bytes, wake_up(kind));
    }
}

/// Copies the path and returns its length without the final zero.
#[inline(always)]
unsafe fn read_path(scratch: *mut LifecycleScratch, path: *const u8) -> u32 {
    // SAFETY: a live value with room for PATH_BYTES.
    let copied = unsafe {
        bpf_probe_read_kernel_str(
            (&raw mut (*scratch).path).cast(),
            PATH_BYTES as u32,
            path.cast(),
        )
    };
    if copied > 0 && copied <= PATH_BYTES as i64 {
        copied as u32 - 1
    } else {
        0
    }
}

#[inline(always)]
unsafe fn send(scratch: *mut LifecycleScratch, path_bytes: u32, flags: u64) {
    let ring = (&raw const LIFECYCLE).cast_mut().cast();
    // Bounded last: a bound is forgotten over a call.
    let path_bytes = core::hint::black_box(path_bytes) % PATH_BYTES as u32;
    let bytes = size_of::<CgroupRecord>() as u64 + u64::from(path_bytes);
    // SAFETY: `bytes` is at most the size of the value.
    let status = unsafe { bpf_ringbuf_output(ring, scratch.cast(), bytes, flags) };
    if status != 0 {
        lose(LOSS_LIFECYCLE_RING);
    }
}

/// The agent looks twice a second by itself, and is woken when the ring fills up faster. Of a birth it
/// must know at once: whose the windows of a container are is told before its first task runs.
#[inline(always)]
fn wake_up(kind: u32) -> u64 {
    if kind == CGROUP_BORN
        || LIFECYCLE.query(u64::from(BPF_RB_AVAIL_DATA)) > u64::from(LIFECYCLE_BYTES) / 4
    {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}
