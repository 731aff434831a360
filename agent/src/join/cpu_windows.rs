//! What the windows of one cgroup say about a row: the highest 100 ms, and quantiles over all of them.
//!
//! How exact that is:
//! * A window begins at a multiple of 20 ms, so a burst of up to 80 ms always lies in one whole; of
//!   a burst of 100 ms a fifth of its last or first 20 ms, at most 10 %, can fall outside.
//! * Time is charged when the kernel does, at a tick or a switch. A window of a task that runs on
//!   and on is wrong by at most one tick: 4 ms of 100 at 250 Hz, 10 ms at 100 Hz. CPUs without ticks
//!   (`nohz_full`) charge once a second: their windows are not to be trusted.
//! * A burst that goes on over the border of two row windows is told in both, each time as far as it
//!   was known; one that ends within 20 ms of the border can miss that end.
//! * A quantile lies in the right bucket of the histogram. Buckets are a factor of 1.33 or 1.5 wide,
//!   so it is wrong by less than that; below a hundredth of a core by less than a hundredth.
//! * Time above a threshold is exact but for the windows in the threshold's own bucket.

use agent_common::cpu::{
    CpuUsage, HISTOGRAM_BUCKETS, LAST_SLOT_BITS, LAST_SLOT_MASK, PEAK_NS_BITS, PEAK_NS_MASK,
    RING_SLOTS, SLOT_NS, WINDOW_SLOTS, histogram_floor_ns, slot_ns,
};

/// Length of a window.
pub const WINDOW_NS: u64 = SLOT_NS * WINDOW_SLOTS;

/// CPU time in the highest window of row window `row_window`, for a reading that closes it.
pub fn peak_ns(usage: &CpuUsage, row_window: u32) -> u64 {
    let tag = u64::from(row_window as u16);
    let closed = usage.peaks[row_window as usize % 2];
    let closed_ns = if closed >> PEAK_NS_BITS == tag {
        closed & PEAK_NS_MASK
    } else {
        0
    };
    // What was opened in an earlier row window and stands still open was told there.
    let open_ns = if usage.last_slot >> LAST_SLOT_BITS == tag {
        open_window_ns(usage)
    } else {
        0
    };
    closed_ns.max(open_ns)
}

/// CPU time in the window that ends at the newest slot: the highest of those that no event has
/// closed yet, since the later ones lose slots at their beginning and gain none.
fn open_window_ns(usage: &CpuUsage) -> u64 {
    let last = usage.last_slot & LAST_SLOT_MASK;
    (0..WINDOW_SLOTS)
        .map(|age| last.wrapping_sub(age))
        .map(|slot| slot_ns(usage.slots[slot as usize % RING_SLOTS], slot))
        .sum()
}

/// CPU time in the window below which the fraction `quantile` of all windows lies. `histogram` holds
/// those windows of `elapsed_ns` that were not empty; one window begins every 20 ms.
pub fn quantile_ns(histogram: &[u32], elapsed_ns: u64, quantile: f64) -> u64 {
    let busy: u64 = histogram.iter().copied().map(u64::from).sum();
    let windows = busy.max(elapsed_ns / SLOT_NS);
    let rank = quantile.clamp(0.0, 1.0) * windows as f64;
    let mut below = windows - busy;
    for (bucket, count) in (0_u32..).zip(histogram.iter().copied().map(u64::from)) {
        if count > 0 && rank > below as f64 && rank <= (below + count) as f64 {
            return inside(bucket, (rank - below as f64) / count as f64);
        }
        below += count;
    }
    0
}

/// Time in which windows were higher than `threshold_ns`: one begins every 20 ms. Windows of the
/// threshold's own bucket count in proportion.
pub fn above_ns(histogram: &[u32], threshold_ns: u64) -> u64 {
    let mut windows = 0.0;
    for (bucket, count) in (0_u32..).zip(histogram) {
        let (floor, top) = (histogram_floor_ns(bucket), inside(bucket, 1.0));
        let share = match threshold_ns {
            threshold if threshold < floor => 1.0,
            // The last bucket has no end.
            threshold if threshold >= top => {
                f64::from(u8::from(top == floor && threshold == floor))
            }
            threshold => (top - threshold) as f64 / (top - floor) as f64,
        };
        windows += share * f64::from(*count);
    }
    (windows * SLOT_NS as f64) as u64
}

/// The value at `fraction` of a bucket's width.
fn inside(bucket: u32, fraction: f64) -> u64 {
    let floor = histogram_floor_ns(bucket);
    let width = match bucket + 1 {
        next if next < HISTOGRAM_BUCKETS as u32 => histogram_floor_ns(next) - floor,
        _ => 0,
    };
    floor + (fraction * width as f64) as u64
}

/// CPU time of one window in thousandths of a core, rounded up: whatever ran has a peak, and no peak is
/// below the mean. A tick is worth ten times that or more, and a bucket of the histogram too.
pub fn cores(window_ns: u64) -> f64 {
    window_ns.div_ceil(WINDOW_NS / 1000) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use agent_common::cpu::{histogram_bucket, slot_tag};

    use super::*;

    const MS: u64 = 1_000_000;

    /// An account whose newest slot is the last of `slots`, opened in `row_window`.
    fn account(row_window: u64, slots: &[(u64, u64)]) -> CpuUsage {
        let mut usage = CpuUsage::ZERO;
        for (slot, ns) in slots {
            usage.slots[*slot as usize % RING_SLOTS] = slot_tag(*slot) | ns;
            usage.last_slot = (row_window << LAST_SLOT_BITS) | slot;
        }
        usage
    }

    #[test]
    fn the_open_window_counts_though_no_event_closed_it() {
        let usage = account(7, &[(100, 20 * MS), (101, 20 * MS), (104, 9 * MS)]);
        assert_eq!(peak_ns(&usage, 7), 49 * MS);
    }

    #[test]
    fn slots_before_the_window_and_of_older_turns_do_not_count() {
        let usage = account(7, &[(95, 20 * MS), (99, 3 * MS), (104, 5 * MS)]);
        assert_eq!(peak_ns(&usage, 7), 5 * MS);
    }

    #[test]
    fn a_window_of_an_earlier_row_window_is_not_told_again() {
        let mut usage = account(7, &[(100, 20 * MS)]);
        usage.peaks[1] = (7 << PEAK_NS_BITS) | (80 * MS);
        assert_eq!(peak_ns(&usage, 7), 80 * MS);
        assert_eq!(peak_ns(&usage, 8), 0);
        assert_eq!(peak_ns(&usage, 9), 0, "same cell, other row window");
    }

    #[test]
    fn row_windows_are_compared_by_their_lower_sixteen_bits() {
        let usage = account(2, &[(100, 20 * MS)]);
        assert_eq!(peak_ns(&usage, 0x1_0002), 20 * MS);
    }

    fn histogram(windows: &[(u64, u32)]) -> [u32; HISTOGRAM_BUCKETS] {
        let mut histogram = [0; HISTOGRAM_BUCKETS];
        for (ns, count) in windows {
            histogram[histogram_bucket(*ns) as usize] += count;
        }
        histogram
    }

    #[test]
    fn empty_windows_come_from_the_time_that_passed() {
        // 1,500 windows in 30 s, ten of them busy: less than one in a hundred.
        let histogram = histogram(&[(80 * MS, 10)]);
        assert_eq!(quantile_ns(&histogram, 30_000 * MS, 0.99), 0);
        // 150 windows in 3 s: the same ten are more than one in a hundred.
        let p99 = quantile_ns(&histogram, 3_000 * MS, 0.99);
        assert_eq!(histogram_bucket(p99), histogram_bucket(80 * MS));
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_the_true_one() {
        for height in [2, 5, 11, 23, 50, 99, 180, 790] {
            let histogram = histogram(&[(MS, 97), (height * MS, 3)]);
            let p99 = quantile_ns(&histogram, 2_000 * MS, 0.99) as f64;
            let truth = (height * MS) as f64;
            assert!(
                p99 / truth < 1.51 && truth / p99 < 1.51,
                "{height} ms read {p99}"
            );
        }
    }

    #[test]
    fn time_above_a_threshold_counts_the_windows_above_it() {
        let histogram = histogram(&[(10 * MS, 100), (80 * MS, 10)]);
        assert_eq!(above_ns(&histogram, 200 * MS), 0);
        assert_eq!(above_ns(&histogram, 40 * MS), 10 * SLOT_NS);
        assert_eq!(above_ns(&histogram, MS), 110 * SLOT_NS);
        let inside = above_ns(&histogram, 80 * MS);
        assert!(
            inside <= 10 * SLOT_NS,
            "{inside} ns of the threshold's own bucket"
        );
        assert_eq!(above_ns(&[], 0), 0);
    }

    #[test]
    fn extremes_of_the_quantile_and_of_the_histogram_are_defined() {
        assert_eq!(quantile_ns(&[0; HISTOGRAM_BUCKETS], 0, 0.99), 0);
        assert_eq!(quantile_ns(&[], 30_000 * MS, 0.99), 0);
        let top = histogram(&[(u64::MAX >> 8, 5)]);
        assert_eq!(quantile_ns(&top, 0, 1.0), histogram_floor_ns(31));
    }
}
