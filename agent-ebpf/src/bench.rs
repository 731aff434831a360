//! What `e2e-bench` measures ours against, as an object of its own so that the product carries none
//! of it: programs that do nothing, systemd's IP accounting, and what scheduler tools do.
#![no_std]
#![no_main]
#![allow(
    internal_features,
    reason = "BPF atomics with a result exist only as intrinsics"
)]
#![allow(
    clippy::needless_pass_by_value,
    missing_docs,
    reason = "the attributes of programs pass the context by value, and make them public"
)]
#![feature(core_intrinsics)]

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    macros::{btf_tracepoint, cgroup_skb, map},
    maps::{Array, HashMap},
    programs::{BtfTracePointContext, SkBuffContext},
};

/// Tasks that scheduler tools keep a time for.
const TASKS: u32 = 10_240;
/// Buckets of a histogram by powers of two.
const BUCKETS: u32 = 64;
const PASS: i32 = 1;

/// systemd's map: cell 0 counts packets, cell 1 bytes.
#[map]
static ACCOUNTING: Array<u64> = Array::with_max_entries(2, 0);
#[map]
static SWITCHED_IN: HashMap<u64, u64> = HashMap::with_max_entries(TASKS, 0);
#[map]
static HISTOGRAM: Array<u64> = Array::with_max_entries(BUCKETS, 0);

#[cgroup_skb]
pub fn empty_skb(_: SkBuffContext) -> i32 {
    PASS
}

#[btf_tracepoint(function = "sched_stat_runtime")]
pub fn empty_runtime(_: BtfTracePointContext) -> i32 {
    0
}

#[btf_tracepoint(function = "sched_switch")]
pub fn empty_switch(_: BtfTracePointContext) -> i32 {
    0
}

/// `bpf-firewall.c` with IP accounting and no access list: two look-ups and two atomic additions.
/// It knows its unit by where it is attached, so there is one of it for each unit.
#[cgroup_skb]
pub fn systemd_skb(ctx: SkBuffContext) -> i32 {
    add(&ACCOUNTING, 0, 1);
    add(&ACCOUNTING, 1, u64::from(ctx.len()));
    PASS
}

/// The times on the CPU as `cpudist` takes them: a clock, an update for the next task, a look-up
/// and a bucket for the one before. Keyed by the task's address, where the tools take its id.
#[btf_tracepoint(function = "sched_switch")]
pub fn bcc_switch(ctx: BtfTracePointContext) -> i32 {
    let (before, next): (u64, u64) = (ctx.arg(1), ctx.arg(2));
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if let Some(since) = SWITCHED_IN.get_ptr(before) {
        // SAFETY: a live value.
        let ran = now.wrapping_sub(unsafe { *since });
        add(&HISTOGRAM, power_of_two(ran), 1);
    }
    // A full map loses the time, as it does in those tools.
    let _lost = SWITCHED_IN.insert(next, now, 0);
    0
}

#[inline(always)]
fn add(cells: &Array<u64>, cell: u32, value: u64) {
    if let Some(target) = cells.get_ptr_mut(cell) {
        // SAFETY: a live value.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(target, value) };
    }
}

/// The position of the highest bit, by halves: BPF has no instruction for it.
#[inline(always)]
fn power_of_two(value: u64) -> u32 {
    let mut rest = value;
    let mut power = 0;
    for bits in [32, 16, 8, 4, 2, 1] {
        if rest >> bits != 0 {
            rest >>= bits;
            power += bits;
        }
    }
    power
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the verifier refuses a program that can loop here.
    loop {}
}

// The kernel offers most helpers only to programs under a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
