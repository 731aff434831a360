//! How many requests are made in a second: more while a store answers, fewer while it refuses. A store
//! that answers 503 is told so by silence.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Requests in a second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// While every second request is refused, or more.
    pub lowest: f64,
    /// While all is well.
    pub highest: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            lowest: 0.5,
            highest: 2_000.0,
        }
    }
}

/// By how much each answer raises the rate.
const RAISE: f64 = 1.1;
/// By how much each refusal lowers it. Balanced where a fifth of the requests is refused.
const LOWER: f64 = 0.7;

struct State {
    rate: f64,
    next: Instant,
}

/// See the module.
pub(super) struct Pace {
    rates: Rates,
    state: Mutex<State>,
}

impl Pace {
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            rates,
            state: Mutex::new(State {
                rate: rates.highest,
                next: Instant::now(),
            }),
        }
    }

    /// Waits until the next request may be made.
    pub(super) async fn turn(&self) {
        let at = self.with(|state| {
            let at = state.next.max(Instant::now());
            state.next = at + Duration::from_secs_f64(1.0 / state.rate);
            at
        });
        if at > Instant::now() {
            sleep_until(at).await;
        }
    }

    pub(super) fn answered(&self) {
        self.with(|state| state.rate = (state.rate * RAISE).min(self.rates.highest));
    }

    pub(super) fn refused(&self) {
        self.with(|state| state.rate = (state.rate * LOWER).max(self.rates.lowest));
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests in the last of a number of seconds, of which this share is answered.
    async fn requests(seconds: u64, answered_of_ten: u32) -> u32 {
        let pace = Pace::new(Rates::default());
        let end = Instant::now() + Duration::from_secs(seconds);
        let last = end - Duration::from_secs(60);
        let (mut made, mut counted) = (0_u32, 0);
        loop {
            pace.turn().await;
            if Instant::now() >= end {
                return counted;
            }
            made += 1;
            counted += u32::from(Instant::now() >= last);
            if made % 10 < answered_of_ten {
                pace.answered();
            } else {
                pace.refused();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_most_is_asked_rarely() {
        let asked = requests(1_800, 1).await;
        assert!((20..=60).contains(&asked), "{asked} requests in a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_answers_is_asked_at_full_speed() {
        let asked = requests(61, 10).await;
        assert!(asked > 60 * 900, "{asked} requests in a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_recovers_within_a_minute() {
        let pace = Pace::new(Rates::default());
        for _ in 0..100 {
            pace.refused();
        }
        let begin = Instant::now();
        for _ in 0..40 {
            pace.turn().await;
            pace.answered();
        }
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{:?}",
            begin.elapsed()
        );
        assert!(pace.with(|state| state.rate) > 20.0);
    }
}
