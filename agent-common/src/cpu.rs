//! CPU time of one cgroup, and its windows of 100 ms that slide by slots of 20 ms.

/// Length of a slot, before rounding to whole jiffies.
pub const SLOT_NS: u64 = 20_000_000;
/// Slots that make one window.
pub const WINDOW_SLOTS: u64 = 5;
/// Length of the ring of slots; a power of two, longer than a window.
pub const RING_SLOTS: usize = 8;
/// Bits of a slot that hold its nanoseconds; the bits above hold its number.
pub const SLOT_NS_BITS: u32 = 40;
/// The nanoseconds of a slot.
pub const SLOT_NS_MASK: u64 = (1 << SLOT_NS_BITS) - 1;
/// Bits of a peak that hold its nanoseconds; the bits above hold the number of the row window.
pub const PEAK_NS_BITS: u32 = 48;
/// The nanoseconds of a peak.
pub const PEAK_NS_MASK: u64 = (1 << PEAK_NS_BITS) - 1;
/// Bits of `last_slot` that hold the slot's number; the bits above hold the number of the row window.
pub const LAST_SLOT_BITS: u32 = 48;
/// The slot's number in `last_slot`.
pub const LAST_SLOT_MASK: u64 = (1 << LAST_SLOT_BITS) - 1;
/// Buckets of the histogram of windows.
pub const HISTOGRAM_BUCKETS: usize = 32;
/// Nanoseconds in a window under which it falls into bucket 0: 2^20, a hundredth of a core.
pub const HISTOGRAM_FIRST_SHIFT: u32 = 20;

/// The CPU account of one cgroup, shared by all CPUs. Only its own tasks, no descendants; but the windows
/// hold those of every cgroup whose windows it was made the owner of as well, and nothing of its own
/// while another account owns them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuUsage {
    /// All CPU time since the first event, the very time that feeds `cpu.stat`.
    pub run_ns: u64,
    /// Number of the newest slot that was written to, below [`LAST_SLOT_BITS`]; above, the number
    /// of the row window in which it was opened. A burst is closed by the next event only, which may
    /// come minutes later: its peak belongs to the row window in which it happened.
    pub last_slot: u64,
    /// Highest closed window: number of the row window above [`PEAK_NS_BITS`], nanoseconds below.
    /// Two cells, for even and odd row windows, so that the one being read is not overwritten.
    pub peaks: [u64; 2],
    /// Slot `n` lies at `n % RING_SLOTS`: its number (24 bits) above [`SLOT_NS_BITS`].
    pub slots: [u64; RING_SLOTS],
    /// Closed windows that were not empty, by [`histogram_bucket`].
    pub histogram: [u32; HISTOGRAM_BUCKETS],
}

impl CpuUsage {
    /// An account that nothing was charged to.
    pub const ZERO: Self = Self {
        run_ns: 0,
        last_slot: 0,
        peaks: [0; 2],
        slots: [0; RING_SLOTS],
        histogram: [0; HISTOGRAM_BUCKETS],
    };
}

/// What one CPU ran in all, and what of it found no place in the map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTotals {
    /// All CPU time that the program saw.
    pub run_ns: u64,
    /// The part that no cgroup's account could take.
    pub unattributed_ns: u64,
}

/// The tag that slot number `slot` carries in its upper bits.
#[inline(always)]
pub const fn slot_tag(slot: u64) -> u64 {
    slot << SLOT_NS_BITS
}

/// The nanoseconds in `cell` if it belongs to slot number `slot`, else 0.
#[inline(always)]
pub const fn slot_ns(cell: u64, slot: u64) -> u64 {
    if cell & !SLOT_NS_MASK == slot_tag(slot) {
        cell & SLOT_NS_MASK
    } else {
        0
    }
}

/// The bucket of a window of `ns`: two for each power of two, 0 below a hundredth of a core.
#[inline(always)]
pub const fn histogram_bucket(ns: u64) -> u32 {
    let scaled = ns >> (HISTOGRAM_FIRST_SHIFT - 1);
    if scaled < 2 {
        return 0;
    }
    if scaled >= 1 << (HISTOGRAM_BUCKETS / 2) {
        return HISTOGRAM_BUCKETS as u32 - 1;
    }
    // The position of the highest bit, by halves: BPF has no instruction for it.
    let mut rest = scaled;
    let mut exponent = 0;
    if rest >= 1 << 8 {
        rest >>= 8;
        exponent += 8;
    }
    if rest >= 1 << 4 {
        rest >>= 4;
        exponent += 4;
    }
    if rest >= 1 << 2 {
        rest >>= 2;
        exponent += 2;
    }
    exponent += (rest >> 1) as u32;
    let half = ((scaled >> (exponent - 1)) & 1) as u32;
    exponent * 2 + half - 1
}

/// The smallest window, in nanoseconds, that falls into `bucket`.
pub const fn histogram_floor_ns(bucket: u32) -> u64 {
    if bucket == 0 {
        return 0;
    }
    let exponent = bucket.div_ceil(2);
    let half = bucket.is_multiple_of(2) as u64;
    ((2 + half) << (exponent - 1)) << (HISTOGRAM_FIRST_SHIFT - 1)
}

const _: () = assert!(size_of::<CpuUsage>() == 224);
const _: () = assert!(size_of::<CpuTotals>() == 16);
const _: () = assert!(RING_SLOTS as u64 > WINDOW_SLOTS && RING_SLOTS.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;

    /// Every bucket begins where its floor says and the one before ends just below.
    #[test]
    fn histogram_floors_invert_buckets() {
        for bucket in 1..HISTOGRAM_BUCKETS as u32 {
            let floor = histogram_floor_ns(bucket);
            assert_eq!(histogram_bucket(floor), bucket);
            assert_eq!(histogram_bucket(floor - 1), bucket - 1);
        }
        assert_eq!(histogram_bucket(0), 0);
        assert_eq!(histogram_bucket(u64::MAX >> 8), 31);
    }

    /// A cell of an older turn of the ring counts nothing.
    #[test]
    fn slots_of_another_turn_are_empty() {
        let cell = slot_tag(3) | 7;
        assert_eq!(slot_ns(cell, 3), 7);
        assert_eq!(slot_ns(cell, 3 + RING_SLOTS as u64), 0);
    }
}
