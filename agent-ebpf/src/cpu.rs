//! CPU time by cgroup at `sched_stat_runtime`: it carries the very time that feeds `cpu.stat` and
//! fires at every tick as well, so a task that is never switched out is seen while it runs.
//! Slots are numbered by jiffies: reading a clock would double the cost of an event.
//!
//! Run time is always its cgroup's, but the windows may be those of an account that user space named
//! as their owner: a pod's, so that its peak is that of all its containers together.

use agent_common::{
    control::CONTROL_WINDOW,
    cpu::{
        CpuUsage, HISTOGRAM_BUCKETS, LAST_SLOT_BITS, LAST_SLOT_MASK, PEAK_NS_BITS, RING_SLOTS,
        SLOT_NS_BITS, WINDOW_SLOTS, histogram_bucket, slot_ns, slot_tag,
    },
    loss::LOSS_CPU_FULL,
    table::owner_of,
};
use aya_ebpf::{
    helpers::generated::bpf_jiffies64, macros::btf_tracepoint, programs::BtfTracePointContext,
};

use crate::{
    atomic, globals,
    maps::{CPU, CPU_KEYS, CPU_OWNERS, CPU_TOTALS, control, is_active, lose},
    table::Table,
    task::task_cgroup_id,
};

/// Tries to raise a peak that others are raising too.
const PEAK_TRIES: u32 = 4;

#[btf_tracepoint(function = "sched_stat_runtime")]
pub fn cpu_runtime(ctx: BtfTracePointContext) -> i32 {
    if is_active() {
        let task: *const u8 = ctx.arg(0);
        let run_ns: u64 = ctx.arg(1);
        // SAFETY: the first argument of this tracepoint is a task.
        charge(unsafe { task_cgroup_id(task) }, run_ns);
    }
    0
}

#[inline(always)]
fn charge(cgroup_id: u64, run_ns: u64) {
    let place = match accounts().find_place(cgroup_id) {
        Some(place) => place,
        None => open_account(cgroup_id),
    };
    let account = CPU.get_ptr_mut(place);
    if let Some(totals) = CPU_TOTALS.get_ptr_mut(0) {
        // SAFETY: a live value. The run queue's lock is held: nothing else runs on this CPU.
        unsafe {
            (*totals).run_ns += run_ns;
            if account.is_none() {
                (*totals).unattributed_ns += run_ns;
            }
        }
    }
    if let Some(account) = account {
        // SAFETY: a field of a live value.
        atomic::add(unsafe { &raw mut (*account).run_ns }, run_ns);
        charge_windows(owner(place).unwrap_or(account), run_ns);
    }
}

/// Who keeps the windows of the account at `place`, if not that itself.
#[inline(always)]
fn owner(place: u32) -> Option<*mut CpuUsage> {
    // SAFETY: a live value of one integer.
    let owner = unsafe { core::ptr::read_volatile(CPU_OWNERS.get_ptr(place)?) };
    CPU.get_ptr_mut(owner_of(owner))
}

#[inline(always)]
fn accounts() -> Table<CpuUsage> {
    Table {
        keys: &CPU_KEYS,
        accounts: &CPU,
        mask: globals::cpu_mask(),
    }
}

/// The place of a new account; past the end of the table if that is full.
#[inline(never)]
fn open_account(cgroup_id: u64) -> u32 {
    accounts().open_place(cgroup_id).unwrap_or_else(|| {
        lose(LOSS_CPU_FULL);
        u32::MAX
    })
}

#[inline(always)]
fn charge_windows(account: *mut CpuUsage, run_ns: u64) {
    // SAFETY: a helper without arguments.
    let slot = unsafe { bpf_jiffies64() }
        .checked_div(globals::jiffies_per_slot())
        .unwrap_or(0);
    // SAFETY: a field of a live value, the index is below its length.
    let cell = unsafe {
        (&raw mut (*account).slots)
            .cast::<u64>()
            .add(slot as usize % RING_SLOTS)
    };
    // SAFETY: as above.
    let old = unsafe { core::ptr::read_volatile(cell) };
    if old >> SLOT_NS_BITS == slot_tag(slot) >> SLOT_NS_BITS {
        atomic::add(cell, run_ns);
    } else if atomic::replace(cell, old, slot_tag(slot) | run_ns) {
        close_windows(account, slot, old);
    } else {
        atomic::add(cell, run_ns);
    }
}

/// The first event of a slot closes the windows that end before it: the one at the last busy slot,
/// and those up to four later ones that still reach back to it. Only the first can be a peak.
#[inline(never)]
fn close_windows(account: *mut CpuUsage, slot: u64, overwritten: u64) {
    let row_window = u64::from(control(CONTROL_WINDOW) as u16);
    let opened = (row_window << LAST_SLOT_BITS) | slot;
    // SAFETY: fields of a live value.
    let (last, slots) = unsafe {
        (
            atomic::swap(&raw mut (*account).last_slot, opened),
            (&raw const (*account).slots).cast::<u64>(),
        )
    };
    let last_row_window = last >> LAST_SLOT_BITS;
    let last = last & LAST_SLOT_MASK;
    let elapsed = slot.wrapping_sub(last);
    if last == 0 || elapsed == 0 || elapsed > 1 << 32 {
        return;
    }
    let mut window_ns = 0;
    for age in 0..WINDOW_SLOTS {
        let number = last - age;
        let cell = if number as usize % RING_SLOTS == slot as usize % RING_SLOTS {
            overwritten
        } else {
            // SAFETY: the index is below RING_SLOTS.
            unsafe { core::ptr::read_volatile(slots.add(number as usize % RING_SLOTS)) }
        };
        window_ns += slot_ns(cell, number);
        // The window that ends `WINDOW_SLOTS - 1 - age` slots after the last busy one.
        if WINDOW_SLOTS - 1 - age < elapsed {
            count_window(account, window_ns);
        }
    }
    raise_peak(account, last_row_window, window_ns);
    // A window at the border of two row windows may have grown after the reader had looked at it.
    if row_window != last_row_window && elapsed <= WINDOW_SLOTS {
        raise_peak(account, row_window, window_ns);
    }
}

#[inline(always)]
fn count_window(account: *mut CpuUsage, window_ns: u64) {
    let bucket = histogram_bucket(window_ns) as usize % HISTOGRAM_BUCKETS;
    // SAFETY: a field of a live value, the index is below its length.
    atomic::increment(unsafe { (&raw mut (*account).histogram).cast::<u32>().add(bucket) });
}

#[inline(always)]
fn raise_peak(account: *mut CpuUsage, row_window: u64, window_ns: u64) {
    let peak = (row_window << PEAK_NS_BITS) | window_ns;
    // SAFETY: a field of a live value, the index is 0 or 1.
    let cell = unsafe {
        (&raw mut (*account).peaks)
            .cast::<u64>()
            .add(row_window as usize & 1)
    };
    for _ in 0..PEAK_TRIES {
        // SAFETY: as above.
        let old = unsafe { core::ptr::read_volatile(cell) };
        let same_window = old >> PEAK_NS_BITS == peak >> PEAK_NS_BITS;
        if (same_window && old >= peak) || atomic::replace(cell, old, peak) {
            return;
        }
    }
}
