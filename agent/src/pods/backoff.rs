//! How long to wait before the next try.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// The first wait and the longest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub first: Duration,
    pub longest: Duration,
}

impl Pace {
    pub const USUAL: Self = Self {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(30),
    };
}

/// Waits that double with each failure. The agents of a cluster fail at the same instant; jitter keeps them from
/// coming back at the same one.
#[derive(Debug)]
pub(super) struct Backoff {
    pace: Pace,
    failures: u32,
    random: RandomState,
}

impl Backoff {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            failures: 0,
            random: RandomState::new(),
        }
    }

    /// It went well: the next failure is a first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: a half to the whole of what has doubled up.
    pub fn next(&mut self) -> Duration {
        let doubled = self.pace.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let whole = doubled.min(self.pace.longest);
        // 0 to 255, other for each process and each failure.
        let draw = self.random.hash_one(self.failures) & 0xff;
        whole / 2 + whole / 2 * u32::try_from(draw).unwrap_or(0) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_begin_anew() {
        let mut backoff = Backoff::new(Pace::USUAL);
        let mut expected = Duration::from_millis(500);
        for _ in 0..100 {
            let wait = backoff.next();
            assert!(wait >= expected / 2 && wait <= expected, "{wait:?}");
            expected = (expected * 2).min(Duration::from_secs(30));
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(500));
    }
}
