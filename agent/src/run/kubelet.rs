//! When the kubelet is asked: once a window, at this node's own moment before its end, so that not
//! all nodes ask and send at once. A slow kubelet is asked less often.

use std::{
    cell::RefCell,
    hash::{BuildHasher as _, RandomState},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

use super::windows::next_boundary;
use crate::kubelet::{Kubelet, Sample};

/// Least time for an answer, if windows are long enough for it.
const MIN_LEAD: Duration = Duration::from_secs(1);
/// Most windows from one question to the next.
const MOST_WINDOWS: u32 = 8;

/// The newest answer, until a window took it.
pub(super) type Newest = Rc<RefCell<Option<Sample>>>;

/// Asks for ever.
pub(super) async fn ask(mut kubelet: Kubelet, newest: Newest, pace: Pace) {
    let mut windows = 1;
    loop {
        let asked = Instant::now();
        let sample = kubelet.scrape().await;
        if sample.is_some() {
            *newest.borrow_mut() = sample;
        }
        windows = pace.windows(windows, asked.elapsed());
        sleep_until(
            pace.next(next_boundary(pace.interval), Instant::now(), windows)
                .into(),
        )
        .await;
    }
}

/// How often, and how long before a window's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: Duration,
    lead: Duration,
}

impl Pace {
    /// A lead drawn for this process, of up to `jitter_percent` of the window.
    pub(super) fn new(interval: Duration, jitter_percent: u32) -> Self {
        let most = interval.saturating_mul(jitter_percent.min(50)) / 100;
        let drawn = RandomState::new().hash_one(std::process::id()) % 1_000;
        let jitter = most.saturating_mul(u32::try_from(drawn).unwrap_or(0)) / 1_000;
        Self {
            interval,
            lead: (MIN_LEAD + jitter).min(interval / 2),
        }
    }

    /// Windows until the next question: twice as many after one that took over a quarter of a
    /// window, one again after a quick one.
    fn windows(self, before: u32, took: Duration) -> u32 {
        if took > self.interval / 4 {
            (before * 2).min(MOST_WINDOWS)
        } else {
            1
        }
    }

    /// The moment for the next question, where windows end at `boundary` and every interval after.
    fn next(self, boundary: Instant, now: Instant, windows: u32) -> Instant {
        let first = boundary.checked_sub(self.lead).unwrap_or(boundary);
        let first = if first <= now + self.lead.min(self.interval / 4) {
            first + self.interval
        } else {
            first
        };
        first + self.interval * (windows - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    #[test]
    fn the_lead_is_within_the_jitter() {
        for percent in [0, 20, 50, 100] {
            let pace = Pace::new(INTERVAL, percent);
            assert!(pace.lead >= MIN_LEAD);
            assert!(pace.lead <= MIN_LEAD + INTERVAL * percent.min(50) / 100);
        }
        assert!(Pace::new(Duration::from_millis(100), 20).lead <= Duration::from_millis(50));
    }

    #[test]
    fn a_slow_kubelet_is_asked_less_often_until_it_is_quick_again() {
        let pace = Pace::new(INTERVAL, 20);
        let slow = Duration::from_secs(8);
        let mut windows = 1;
        let asked: Vec<u32> = (0..5)
            .map(|_| {
                windows = pace.windows(windows, slow);
                windows
            })
            .collect();
        assert_eq!(asked, [2, 4, 8, 8, 8]);
        assert_eq!(pace.windows(8, Duration::from_millis(20)), 1);
    }

    #[test]
    fn each_question_comes_once_before_each_end() {
        let pace = Pace {
            interval: INTERVAL,
            lead: Duration::from_secs(2),
        };
        let now = Instant::now();
        let boundary = now + Duration::from_secs(20);
        assert_eq!(pace.next(boundary, now, 1), now + Duration::from_secs(18));
        // Asked for this window already.
        let asked = now + Duration::from_secs(18);
        assert_eq!(pace.next(boundary, asked, 1), now + Duration::from_secs(48));
        assert_eq!(pace.next(boundary, asked, 2), now + Duration::from_secs(78));
    }
}
