//! What was sent, counted: one place for the metrics.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::Way;

/// Upper bounds of the buckets of [`Durations`], in seconds.
pub const DURATION_BUCKETS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];

/// How long answered requests took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Durations {
    /// Requests by [`DURATION_BUCKETS`], each in one bucket; longer ones in none.
    pub buckets: [u64; DURATION_BUCKETS.len()],
    /// All requests.
    pub count: u64,
    /// All together.
    pub total: Duration,
}

impl Durations {
    fn add(&mut self, duration: Duration) {
        self.count += 1;
        self.total += duration;
        let seconds = duration.as_secs_f64();
        let bucket = DURATION_BUCKETS.iter().position(|bound| seconds <= *bound);
        if let Some(count) = bucket.and_then(|bucket| self.buckets.get_mut(bucket)) {
            *count += 1;
        }
    }
}

/// What the metrics tell.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Requests by way and outcome: `ok`, or the kind of the failure or refusal.
    pub requests: BTreeMap<(&'static str, &'static str), u64>,
    /// Probes of HTTP/3 by outcome.
    pub probes: BTreeMap<&'static str, u64>,
    /// Turns from one way to the other.
    pub turns: u64,
    /// Batches in answered requests; one that is sent again counts again.
    pub batches: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// Batches that nobody will ever take.
    pub given_up: u64,
    /// How long answered requests took.
    pub durations: Durations,
    /// The way that the next request takes.
    pub way: Option<&'static str>,
    /// The aggregator's address that the next request goes to.
    pub address: Option<SocketAddr>,
    /// Moves from one address to another.
    pub moves: u64,
    /// When something was committed last.
    pub last_committed: Option<SystemTime>,
    /// Batches that wait, received ones too.
    pub waiting: u64,
    /// Epochs that these are of.
    pub waiting_epochs: u64,
}

/// Counts that are shared with those who show them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Counts>>);

impl Tally {
    /// As they are now.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Counts> {
        // Numbers are whole at every instant.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn request(&self, way: Way, outcome: &'static str) {
        *self
            .lock()
            .requests
            .entry((way.name(), outcome))
            .or_default() += 1;
    }

    pub(super) fn probe(&self, outcome: &'static str) {
        *self.lock().probes.entry(outcome).or_default() += 1;
    }

    pub(super) fn answered(&self, took: Duration, batches: usize, bytes: usize) {
        let mut counts = self.lock();
        counts.durations.add(took);
        counts.batches += batches as u64;
        counts.bytes += bytes as u64;
    }
}
