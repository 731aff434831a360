//! The kernel programs. Each counts into maps keyed by cgroup v2 id and knows nothing of pods;
//! user space loads, attaches and reads them in `agent/src/kernel`.
#![no_std]
#![no_main]
#![allow(
    internal_features,
    reason = "BPF atomics with a result exist only as intrinsics"
)]
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "records are passed by reference: a copy of one is a sixth of the stack"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the attributes of programs pass the context by value"
)]
#![feature(core_intrinsics)]

#[macro_use]
mod trace;

mod atomic;
mod class;
mod cpu;
mod globals;
mod lifecycle;
mod maps;
mod network;
mod oom;
mod packet;
mod table;
mod task;

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
