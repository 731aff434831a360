//! A place that one pod of a workload after the other takes.

use std::sync::Arc;

use rand::{Rng as _, rngs::StdRng};

use super::{
    Shape,
    random::between,
    workload::{Template, Times, Workload},
};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// Replicas are not all replaced at once.
const STAGGER_US: i64 = 20_000_000;

/// When a pod lives, and of which template it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub start_us: i64,
    pub end_us: i64,
    pub template: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Slot {
    pub workload: Arc<Workload>,
    pub ordinal: usize,
    free_us: i64,
}

impl Slot {
    /// Free since before everything; jobs begin with the first window.
    pub fn new(workload: &Arc<Workload>, ordinal: usize, shape: &Shape) -> Self {
        let first_us = match workload.times {
            Times::Every { .. } => shape.start.unix_us,
            Times::Always | Times::Hours(..) => shape.start.unix_us - DAY_US,
        };
        Self {
            workload: workload.clone(),
            ordinal,
            free_us: first_us,
        }
    }

    /// The next pod, if its life begins before this time.
    pub fn born(&mut self, before_us: i64, rng: &mut StdRng) -> Option<Life> {
        let start_us = self.next_us();
        if start_us >= before_us {
            return None;
        }
        let template = self.template(start_us);
        let end_us = self.end_us(start_us, template, rng);
        // The next one is scheduled, pulled and started.
        self.free_us = end_us.saturating_add(rng.random_range(400_000..12_000_000));
        Some(Life {
            start_us,
            end_us,
            template,
        })
    }

    fn stagger_us(&self) -> i64 {
        (self.ordinal as i64 + 1) * STAGGER_US
    }

    fn next_us(&self) -> i64 {
        match self.workload.times {
            Times::Always => self.free_us,
            Times::Hours(from, to) => {
                let opens_us = from * HOUR_US + self.stagger_us();
                let closes_us = to * HOUR_US + self.stagger_us();
                match self.free_us.rem_euclid(DAY_US) {
                    early if early < opens_us => self.free_us - early + opens_us,
                    late if late >= closes_us => self.free_us - late + DAY_US + opens_us,
                    _ => self.free_us,
                }
            }
            Times::Every {
                period_us,
                offset_us,
                ..
            } => {
                let behind_us = (self.free_us - offset_us).rem_euclid(period_us);
                self.free_us + (period_us - behind_us) % period_us
            }
        }
    }

    /// The newest at this time.
    fn template(&self, at_us: i64) -> usize {
        let stagger_us = self.stagger_us();
        let is_there = |template: &Template| template.from_us.saturating_add(stagger_us) <= at_us;
        let newest = self.workload.templates.iter().rposition(is_there);
        newest.unwrap_or_default()
    }

    fn end_us(&self, start_us: i64, template: usize, rng: &mut StdRng) -> i64 {
        let newer = self.workload.templates.get(template + 1);
        let replaced_us = newer.map_or(i64::MAX, |newer| {
            newer.from_us.saturating_add(self.stagger_us())
        });
        match self.workload.times {
            Times::Always => replaced_us,
            Times::Hours(_, to) => {
                let midnight_us = start_us - start_us.rem_euclid(DAY_US);
                replaced_us.min(midnight_us + to * HOUR_US + self.stagger_us())
            }
            Times::Every {
                shortest_us,
                longest_us,
                ..
            } => start_us + between(rng, shortest_us, longest_us) as i64,
        }
    }
}
