//! A pod's memory: it settles, stirs a little, or grows until it is too much.

use protocol::PodUsage;
use rand::{Rng as _, rngs::StdRng};

use crate::generate::agent::pod::PAGE;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pages: i64,
    settled: i64,
    /// Cache of files, which the kubelet leaves out of the working set.
    files: i64,
    /// Of the working set, what is anonymous.
    anonymous: f64,
    most: i64,
    peak: i64,
    /// By how much it grows in an hour.
    leak: i64,
}

impl Memory {
    /// Of a pod that has settled already, or begins.
    pub fn new(
        rng: &mut StdRng,
        (bytes, leak_bytes): (i64, i64),
        limit: Option<i64>,
        is_old: bool,
    ) -> Self {
        let settled = (bytes as f64 * rng.random_range(0.85..1.15)) as i64 / PAGE;
        let settled = limit.map_or(settled, |limit| settled.min(limit / PAGE * 9 / 10));
        let files = if rng.random_ratio(1, 2) {
            settled / 6
        } else {
            0
        };
        let pages = if is_old { settled } else { files + settled / 4 };
        Self {
            pages,
            settled,
            files,
            anonymous: rng.random_range(0.75..0.98),
            most: limit.map_or(i64::MAX, |limit| limit / PAGE),
            peak: pages,
            leak: leak_bytes / PAGE,
        }
    }

    /// Goes on for so many seconds, more likely with work than without. Whether it was too much.
    pub fn live(&mut self, rng: &mut StdRng, seconds: f64, is_busy: bool) -> bool {
        let to_settle = self.settled - self.pages;
        if to_settle > 0 {
            self.pages += to_settle / 3 + 1;
        } else if self.leak > 0 {
            let part = seconds / 3_600.0 * rng.random_range(0.5..1.5);
            self.pages += (self.leak as f64 * part) as i64;
        } else if is_busy || rng.random_ratio(1, 4) {
            self.pages += rng.random_range(-48..=48);
            self.pages -= (self.pages - self.settled) / 8;
        }
        let is_too_much = self.pages > self.most;
        self.pages = self
            .pages
            .clamp(self.files + 64, self.most.max(self.files + 64));
        self.peak = self.peak.max(self.pages);
        is_too_much
    }

    /// What a container that starts again begins with.
    pub fn start_again(&mut self) {
        self.pages = self.files + self.settled / 4;
    }

    /// Of the working set, what one process has.
    pub fn resident_bytes(&self) -> i64 {
        ((self.pages - self.files) as f64 * self.anonymous) as i64 * PAGE
    }

    /// Tells it.
    pub fn fill(&self, usage: &mut PodUsage) {
        usage.memory_usage_bytes = Some(self.pages * PAGE);
        usage.memory_working_set_bytes = Some((self.pages - self.files) * PAGE);
        usage.memory_rss_bytes = Some(self.resident_bytes());
        usage.memory_peak_bytes = Some(self.peak * PAGE);
    }
}
