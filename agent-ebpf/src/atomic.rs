//! The atomic instructions of BPF. `core`'s atomics lack them on this target.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd, atomic_xchg};

/// Adds to a cell that other CPUs, or an interrupt on this one, may be adding to.
#[inline(always)]
pub(crate) fn add(cell: *mut u64, value: u64) {
    // SAFETY: callers pass a pointer into a live map value, checked by the verifier.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(cell, value) };
}

/// Stores a new value and returns the one before.
#[inline(always)]
pub(crate) fn swap(cell: *mut u64, value: u64) -> u64 {
    // SAFETY: as in `add`.
    unsafe { atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(cell, value) }
}

/// Stores `new` where `old` still stands; tells whether it did.
#[inline(always)]
pub(crate) fn replace(cell: *mut u64, old: u64, new: u64) -> bool {
    // SAFETY: as in `add`.
    let (before, _) = unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(cell, old, new)
    };
    before == old
}

/// Adds one to a 32-bit counter.
#[inline(always)]
pub(crate) fn increment(cell: *mut u32) {
    // SAFETY: as in `add`.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(cell, 1) };
}
