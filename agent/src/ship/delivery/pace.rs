//! How fast: sizes of messages, waits after failures, and how often it is asked what was committed.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Frames in one message, in bytes; a larger frame goes alone.
    pub message_bytes: usize,
    /// The same while it is not known what the aggregator already has.
    pub first_bytes: usize,
    /// Batches in one message.
    pub message_batches: usize,
    /// Epochs asked for in one message.
    pub asks: usize,
    /// Bound of the wait after a first failure; it doubles with each further one.
    pub backoff_first: Duration,
    /// The bound does not grow beyond.
    pub backoff_longest: Duration,
    /// Longest wait that an aggregator may ask for.
    pub retry_after_longest: Duration,
    /// From an answer to a question what was committed since, where nothing else is to be sent.
    pub ask_first: Duration,
    /// The same after many in vain.
    pub ask_longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            first_bytes: 64 << 10,
            message_batches: 256,
            asks: 256,
            backoff_first: Duration::from_millis(500),
            backoff_longest: Duration::from_secs(60),
            retry_after_longest: Duration::from_secs(300),
            // A window's batch brings an answer by itself: sooner would be mostly in vain.
            ask_first: Duration::from_secs(10),
            ask_longest: Duration::from_secs(30),
        }
    }
}

/// When something may be sent again.
#[derive(Clone, Debug)]
pub(super) struct Clockwork {
    pace: Pace,
    random: StdRng,
    failures: u32,
    not_before: Duration,
    ask_after: Duration,
    ask_at: Duration,
}

impl Clockwork {
    pub fn new(pace: Pace, seed: u64) -> Self {
        Self {
            pace,
            random: StdRng::seed_from_u64(seed),
            failures: 0,
            not_before: Duration::ZERO,
            ask_after: pace.ask_first,
            ask_at: Duration::ZERO,
        }
    }

    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    pub fn not_before(&self) -> Duration {
        self.not_before
    }

    pub fn ask_at(&self) -> Duration {
        self.ask_at
    }

    pub fn hurry(&mut self) {
        self.not_before = Duration::ZERO;
    }

    /// Full jitter: whole clusters fail at the same instant and must not come back at the same one.
    /// What the aggregator asked for comes on top, for the same reason.
    pub fn back_off(&mut self, now: Duration, retry_after: Option<Duration>) {
        let doubled = self.pace.backoff_first * (1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let most = doubled.min(self.pace.backoff_longest);
        let floor = retry_after.unwrap_or_default();
        let floor = floor.min(self.pace.retry_after_longest);
        self.not_before = now + floor + most.mul_f64(self.random.random());
    }

    /// An answer came. `has_news`: something was committed since the one before.
    pub fn answered(&mut self, now: Duration, has_news: bool) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
        if has_news {
            self.ask_after = self.pace.ask_first;
        }
        self.ask_at = now + self.ask_after.mul_f64(self.random.random_range(0.9..=1.1));
    }

    /// A question was answered with nothing new.
    pub fn asked_in_vain(&mut self) {
        self.ask_after = (self.ask_after * 2).min(self.pace.ask_longest);
    }
}
