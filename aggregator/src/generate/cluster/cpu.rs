//! A pod's CPU in one window: a level of work, and now and then a burst that wants more.

use protocol::PodUsage;
use rand::{Rng as _, rngs::StdRng};

use super::workload::Work;
use crate::generate::agent::pod::thousandths;

/// Length of a quota period, in seconds.
const PERIOD: f64 = 0.1;

/// What a pod wants in a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Cores, all the time.
    pub level: f64,
    /// Part of the time that a burst takes.
    pub part: f64,
    /// Cores that it wants in that time.
    pub burst: f64,
}

impl Wanted {
    /// At this level.
    pub fn draw(rng: &mut StdRng, work: &Work, level: f64) -> Self {
        let is_burst = work.bursts > 0.0 && rng.random_bool(work.bursts);
        let (part, burst) = if is_burst {
            let burst = work.burst_cores * rng.random_range(0.6..1.4);
            (rng.random_range(0.002..0.08), burst.max(level))
        } else {
            (0.0, 0.0)
        };
        Self { level, part, burst }
    }
}

/// Fills in what comes of it in a window that is `length` seconds long, of which the pod lived `alive`, on a
/// node of so many CPUs.
pub(super) fn fill(
    usage: &mut PodUsage,
    rng: &mut StdRng,
    wanted: Wanted,
    (alive, length): (f64, f64),
    cpus: f64,
) {
    let cores = |millicores: Option<i64>| millicores.map(|millicores| millicores as f64 / 1e3);
    let most = cores(usage.limits_cpu_millicores).map_or(cpus, |limit| limit.min(cpus));
    let (level, burst) = (wanted.level.min(most), wanted.burst.min(most));
    let mean = level * (1.0 - wanted.part) + burst * wanted.part;
    // To the microsecond, as an agent tells it; never more than was allowed.
    let us = (mean * alive * 1e6).floor();
    usage.cpu_seconds = Some(us / 1e6);
    usage.cpu_usage_cores = Some(us / 1e6 / length);
    let busiest = (level * rng.random_range(1.3..3.0)).min(most);
    let peak = if us > 0.0 {
        up(busiest.max(burst))
    } else {
        0.0
    };
    let p99 = if wanted.part > 0.01 {
        burst * rng.random_range(0.85..1.0)
    } else {
        level * rng.random_range(1.05..1.3)
    };
    usage.cpu_peak_cores = Some(peak);
    usage.cpu_p99_cores = Some(up(p99).min(peak));
    usage.cpu_over_request_seconds = cores(usage.requests_cpu_millicores).map(|request| {
        let part = match request {
            _ if request < level => rng.random_range(0.9..1.0),
            _ if request < peak && burst > request => wanted.part,
            _ if request < peak => 0.01,
            _ => 0.0,
        };
        thousandths(part * alive)
    });
    throttling(usage, rng, wanted, (most, alive));
}

/// Where a quota cuts something off, for a part of each period that the burst lasts.
fn throttling(usage: &mut PodUsage, rng: &mut StdRng, wanted: Wanted, (most, alive): (f64, f64)) {
    let (mut seconds, mut periods) = (0.0, 0);
    if usage.limits_cpu_millicores.is_some() {
        for (cores, part) in [
            (wanted.burst, wanted.part),
            (wanted.level, 1.0 - wanted.part),
        ] {
            if cores > most {
                periods += (part * alive / PERIOD).ceil() as i64;
                seconds += part * alive * (1.0 - most / cores) * rng.random_range(0.8..1.2);
            }
        }
    }
    usage.cpu_throttled_seconds = Some((seconds * 1e6).round() / 1e6);
    usage.cpu_throttled_periods = Some(periods);
    usage.cpu_burst_periods = Some(0);
}

/// Whatever ran has a peak.
fn up(cores: f64) -> f64 {
    (cores * 1e3).ceil() / 1e3
}
