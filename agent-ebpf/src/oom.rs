//! OOM kills. The mark comes in the allocator's context and names a *thread* (up to 6.7); the
//! process, its cgroup and its peak memory are right only when its last thread exits.

use agent_common::{
    loss::{LOSS_OOM_RING, LOSS_OOM_VICTIMS},
    oom::{OOM_EXITED, OOM_MARKED, OomRecord},
};
use aya_ebpf::{
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
    task::field,
};

/// A raw tracepoint: the argument is a thread id up to 6.7, a task from 6.8 on.
#[raw_tracepoint(tracepoint = "mark_victim")]
pub fn oom_mark(ctx: RawTracePointContext) -> i32 {
    if is_active()
        && let Some(marked_tid) = marked(ctx.arg(0))
    {
        mark(marked_tid);
    }
    0
}

/// Thread ids have 22 bits and kernel pointers all upper bits set: the two can't be mistaken.
#[inline(always)]
fn marked(argument: u64) -> Option<u32> {
    if argument <= u64::from(u32::MAX) {
        return Some(argument as u32);
    }
    // SAFETY: reading kernel memory by the helper that survives any address.
    unsafe {
        bpf_probe_read_kernel(
            (argument as *const u8)
                .add(offset!(task_tgid))
                .cast::<u32>(),
        )
        .ok()
    }
}

#[inline(always)]
fn mark(marked_tid: u32) {
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
    if OOM_VICTIMS.insert(marked_tid, &record, 0).is_err() {
        lose(LOSS_OOM_VICTIMS);
    }
    tell(&record);
}

#[btf_tracepoint(function = "sched_process_exit")]
pub fn oom_exit(ctx: BtfTracePointContext) -> i32 {
    let ids = bpf_get_current_pid_tgid();
    let (tid, pid) = (ids as u32, (ids >> 32) as u32);
    if is_active()
        && let Some(record) = victim(tid, pid)
    {
        // SAFETY: the first argument of this tracepoint is the exiting task.
        unsafe { complete(ctx.arg(0), pid, record) };
    }
    0
}

/// The record of the exiting thread's process, from now on under the process's id. Of several
/// marked threads of one process the first to exit gives the record, the others' are dropped.
#[inline(always)]
fn victim(tid: u32, pid: u32) -> Option<OomRecord> {
    // SAFETY: entries are not reused while a program runs (NO_PREALLOC).
    let of_thread = unsafe { OOM_VICTIMS.get(tid) }.copied();
    if tid == pid {
        return of_thread;
    }
    if of_thread.is_some() {
        let _ = OOM_VICTIMS.remove(tid);
    }
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

/// Tells the process's end when its last thread exits. Two last threads may both see `live` at 0;
/// the one that removes the entry tells it.
#[inline(always)]
unsafe fn complete(task: *const u8, pid: u32, mut record: OomRecord) {
    // SAFETY: the verifier checks each offset against BTF.
    unsafe {
        let signal: *const u8 = field(task, offset!(task_signal));
        let live: u32 = field(signal, offset!(signal_live));
        if live != 0 || OOM_VICTIMS.remove(pid).is_err() {
            return;
        }
        record.peak_rss_pages = field(signal, offset!(signal_maxrss));
        record.exit_code = field(task, offset!(task_exit_code));
        record.exited_ns = bpf_ktime_get_boot_ns();
        record.cgroup_id = bpf_get_current_cgroup_id();
        let leader: *const u8 = field(task, offset!(task_group_leader));
        record.comm =
            bpf_probe_read_kernel(leader.add(offset!(task_comm)).cast()).unwrap_or_default();
    }
    record.kind = OOM_EXITED;
    record.pid = pid;
    tell(&record);
}

#[inline(always)]
fn tell(record: &OomRecord) {
    if OOM_RECORDS.output::<OomRecord>(record, 0).is_err() {
        lose(LOSS_OOM_RING);
    }
}
