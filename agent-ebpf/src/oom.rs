//! OOM kills. The mark comes in the allocator's context and names a *thread* (up to 6.7); the
//! process, its cgroup and its peak memory are right only when its last thread exits.

use agent_common::{
    loss::{LOSS_OOM_RING, LOSS_OOM_VICTIMS},
    oom::{OOM_EXITED, OOM_MARKED, OomRecord},
};
use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{
        bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns,
        bpf_probe_read_kernel,
    },
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};

use crate::{
    globals::offset,
    maps::{OOM_RECORDS, OOM_VICTIMS, is_active, lose},
};

/// -EEXIST.
const EXISTS: i32 = -17;

/// A raw tracepoint: the argument is a thread id up to 6.7, a task from 6.8 on.
#[raw_tracepoint(tracepoint = "mark_victim")]
pub fn oom_mark(ctx: RawTracePointContext) -> i32 {
    if is_active() {
        let argument: u64 = ctx.arg(0);
        // Thread ids have 22 bits and kernel pointers all upper bits set: they can't be mistaken.
        if argument <= u64::from(u32::MAX) {
            mark(argument as u32);
        } else {
            mark_task(argument as *const u8);
        }
    }
    0
}

/// From 6.16 on, `sched_process_exit` comes before the lock that the OOM killer holds here, so that
/// a victim on another CPU can have passed it before its mark is in the map. Its exit code is set
/// just before: without one, it is still to come and finds the mark.
#[inline(always)]
fn mark_task(task: *const u8) {
    // SAFETY: kernel memory, read by the helper that survives any address.
    unsafe {
        if let Some(pid) = read(task, offset!(task_tgid))
            && let Some(record) = mark(pid)
            && let Some(record) = ended(task, record)
            && record.exit_code != 0
        {
            tell_end(pid, record);
        }
    }
}

/// Keeps and tells a mark, unless its process is marked already by another of its threads.
#[inline(always)]
fn mark(marked_tid: u32) -> Option<OomRecord> {
    let allocator = bpf_get_current_pid_tgid();
    let record = OomRecord {
        kind: OOM_MARKED,
        marked_tid,
        allocator_tid: allocator as u32,
        allocator_pid: (allocator >> 32) as u32,
        // SAFETY: helpers without arguments.
        marked_ns: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: as above.
        allocator_cgroup_id: unsafe { bpf_get_current_cgroup_id() },
        ..OomRecord::default()
    };
    match OOM_VICTIMS.insert(marked_tid, &record, u64::from(BPF_NOEXIST)) {
        Err(EXISTS) => return None,
        Err(_) => lose(LOSS_OOM_VICTIMS),
        Ok(()) => {}
    }
    tell(&record);
    Some(record)
}

#[btf_tracepoint(function = "sched_process_exit")]
pub fn oom_exit(ctx: BtfTracePointContext) -> i32 {
    let ids = bpf_get_current_pid_tgid();
    let (tid, pid) = (ids as u32, (ids >> 32) as u32);
    if is_active()
        && let Some(record) = victim(tid, pid)
        // SAFETY: the first argument of this tracepoint is the exiting task.
        && let Some(record) = unsafe { ended(ctx.arg(0), record) }
    {
        tell_end(pid, record);
    }
    0
}

/// The record of the exiting thread's process, from now on under the process's id. Of several
/// marked threads of one process the first to exit gives the record, the others' are dropped.
#[inline(always)]
fn victim(tid: u32, pid: u32) -> Option<OomRecord> {
    // SAFETY: an entry that is removed and used anew while it is copied is not believed: whoever
    // removes it is the one who tells it, and our own removal, here or in `tell_end`, fails.
    let of_thread = unsafe { OOM_VICTIMS.get(tid) }.copied();
    if tid == pid {
        return of_thread;
    }
    let of_thread = of_thread.filter(|_| OOM_VICTIMS.remove(tid).is_ok());
    // SAFETY: as above.
    if let Some(record) = unsafe { OOM_VICTIMS.get(pid) } {
        return Some(*record);
    }
    let record = of_thread?;
    if OOM_VICTIMS.insert(pid, &record, 0).is_err() {
        lose(LOSS_OOM_VICTIMS);
    }
    Some(record)
}

/// What the end of a process adds to its record, once its last thread is exiting.
#[inline(always)]
unsafe fn ended(task: *const u8, mut record: OomRecord) -> Option<OomRecord> {
    // SAFETY: kernel memory, read by the helper that survives any address.
    unsafe {
        let signal: *const u8 = read(task, offset!(task_signal))?;
        let live: u32 = read(signal, offset!(signal_live))?;
        if live != 0 {
            return None;
        }
        record.peak_rss_pages = read(signal, offset!(signal_maxrss))?;
        record.exit_code = read(task, offset!(task_exit_code))?;
        let leader: *const u8 = read(task, offset!(task_group_leader))?;
        record.comm = read(leader, offset!(task_comm))?;
        let set: *const u8 = read(task, offset!(task_cgroups))?;
        let cgroup: *const u8 = read(set, offset!(css_set_dfl_cgrp))?;
        let node: *const u8 = read(cgroup, offset!(cgroup_kn))?;
        record.cgroup_id = read(node, offset!(kernfs_node_id))?;
        record.exited_ns = bpf_ktime_get_boot_ns();
    }
    Some(record)
}

/// Tells a process's end. Its two last threads may both see that none is left, and so may its mark;
/// the one that removes the entry tells it.
#[inline(always)]
fn tell_end(pid: u32, record: OomRecord) {
    if OOM_VICTIMS.remove(pid).is_ok() {
        tell(&OomRecord {
            kind: OOM_EXITED,
            pid,
            ..record
        });
    }
}

/// A field of anything in the kernel.
#[inline(always)]
unsafe fn read<T>(base: *const u8, offset: usize) -> Option<T> {
    // SAFETY: a fault is an error.
    unsafe { bpf_probe_read_kernel(base.add(offset).cast::<T>()) }.ok()
}

#[inline(always)]
fn tell(record: &OomRecord) {
    if OOM_RECORDS.output::<OomRecord>(record, 0).is_err() {
        lose(LOSS_OOM_RING);
    }
}
