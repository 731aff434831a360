//! Few numbers out of many rounds.

use std::time::Duration;

/// The middle one; NaN of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => {
            f64::midpoint(values[length / 2 - 1], values[length / 2])
        }
        length => values[length / 2],
    }
}

/// The value that a tenth of them exceeds; NaN of none.
pub(crate) fn upper_decile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = values.len() * 9 / 10;
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// Two decimals: more are noise.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Bytes as MiB.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// Whose CPU time.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Thread,
    Process,
}

/// CPU time that the calling thread or its process has used.
#[expect(unsafe_code, reason = "the CPU clocks have no safe wrapper")]
pub(crate) fn cpu_time(of: Of) -> Duration {
    let clock = match of {
        Of::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
        Of::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
    };
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a valid pointer; these clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_tenth_exceeds_the_upper_decile() {
        assert_eq!(upper_decile((0..100).map(f64::from).collect()), 90.0);
        assert!(upper_decile(Vec::new()).is_nan());
    }
}
