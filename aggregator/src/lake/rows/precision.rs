//! How exactly numbers with a point are kept.
//!
//! A number of microseconds is no round number in binary: eight bytes, of which nothing can be pressed out.
//! Kept to a 2^20th, which is a little less than a microsecond, half of its bytes are zero. What is summed up
//! against the ledger stays as it came.

/// Columns that are kept to a 2^20th.
const ROUNDED: [&str; 7] = [
    "cpu_usage_cores",
    "psi_cpu_some_seconds",
    "psi_cpu_full_seconds",
    "psi_memory_some_seconds",
    "psi_memory_full_seconds",
    "psi_io_some_seconds",
    "psi_io_full_seconds",
];

/// Columns whose bytes are put apart by their place in files that stay. The others have few different
/// values, which are found again where they stand whole.
pub const SPLIT: [&str; 8] = [
    "cpu_seconds",
    "cpu_usage_cores",
    "psi_cpu_some_seconds",
    "psi_cpu_full_seconds",
    "psi_memory_some_seconds",
    "psi_memory_full_seconds",
    "psi_io_some_seconds",
    "psi_io_full_seconds",
];

const STEPS: f64 = 1_048_576.0;
/// Beyond, a number has no such digits.
const MOST: f64 = 1e9;

/// Whether a column's values are rounded.
pub fn is_rounded(column: &str) -> bool {
    ROUNDED.contains(&column)
}

/// The nearest multiple of a 2^20th.
pub fn rounded(value: f64) -> f64 {
    match value.abs() < MOST {
        true => (value * STEPS).round() / STEPS,
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_a_microsecond_is_lost() {
        for us in [
            0,
            1,
            2,
            7,
            999_999,
            1_000_000,
            29_999_999,
            86_400_000_000_u64,
        ] {
            let value = us as f64 / 1e6;
            let kept = rounded(value);
            assert!((kept - value).abs() < 0.5e-6, "{us}");
            assert_eq!((kept * 1e6).round() as u64, us, "the microsecond is known");
            assert_eq!(rounded(kept).to_bits(), kept.to_bits(), "twice is once");
        }
        for strange in [f64::MAX, -1e300, f64::INFINITY] {
            assert_eq!(rounded(strange).to_bits(), strange.to_bits());
        }
    }

    #[test]
    fn every_column_is_one_of_the_table() {
        let columns = protocol::Table::PodUsage.columns();
        for name in ROUNDED.iter().chain(&SPLIT) {
            assert!(columns.iter().any(|column| column.name == *name), "{name}");
        }
    }
}
