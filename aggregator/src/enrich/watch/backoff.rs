//! How long to wait before the next try.

use std::time::Duration;

use rand::Rng as _;

/// The shortest wait and the longest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
        }
    }
}

/// Waits that are drawn from between the shortest and three times the last one: watches that failed at
/// the same instant don't come back at the same one.
#[derive(Debug)]
pub(super) struct Backoff {
    pace: Pace,
    last: Duration,
}

impl Backoff {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            last: pace.first,
        }
    }

    /// It went well: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.last = self.pace.first;
    }

    /// The wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let most = self.last.saturating_mul(3).max(self.pace.first);
        let drawn = rand::rng().random_range(self.pace.first..=most);
        self.last = drawn.min(self.pace.longest);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_differ_and_begin_anew() {
        let pace = Pace::default();
        let mut backoffs = [Backoff::new(pace), Backoff::new(pace)];
        let mut longest = Duration::ZERO;
        let mut equal = 0;
        for _ in 0..200 {
            let [one, two] = backoffs.each_mut().map(Backoff::next);
            assert!((pace.first..=pace.longest).contains(&one), "{one:?}");
            longest = longest.max(one);
            equal += u32::from(one == two && one < pace.longest);
        }
        assert!(longest == pace.longest && equal < 5, "{longest:?} {equal}");
        backoffs[0].reset();
        assert!(backoffs[0].next() <= pace.first * 3);
    }
}
