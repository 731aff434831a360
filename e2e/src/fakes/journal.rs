//! What a fake was asked, for tests of how often, how many at once and with which rights.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::locked;

/// A fake that runs for hours keeps the newest.
const KEPT: usize = 100_000;

/// One request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// `GET`
    pub method: String,
    /// With its query.
    pub path: String,
    /// When its head had come.
    pub at: Instant,
    /// How many others were not answered to their end at that moment.
    pub others_in_flight: usize,
    /// Requests of one kept connection have one number.
    pub connection: u64,
    /// The answer's status; none if there never was a whole head.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
struct State {
    exchanges: VecDeque<Exchange>,
    /// How many were taken out at the front.
    forgotten: usize,
    in_flight: usize,
    failed_handshakes: usize,
}

/// Everything that a fake was asked.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<(Mutex<State>, Condvar)>);

impl Journal {
    /// All requests, oldest first.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state(|state| state.exchanges.iter().cloned().collect())
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.state(|state| state.forgotten + state.exchanges.len())
    }

    /// How many requests are not answered to their end now.
    pub fn in_flight(&self) -> usize {
        self.state(|state| state.in_flight)
    }

    /// The most that were ever under way at once.
    pub fn most_in_flight(&self) -> usize {
        let most = |state: &mut State| {
            state
                .exchanges
                .iter()
                .map(|one| one.others_in_flight + 1)
                .max()
        };
        self.state(most).unwrap_or(0)
    }

    /// How many clients broke off the TLS handshake, as they do when they don't trust the certificate.
    pub fn failed_handshakes(&self) -> usize {
        self.state(|state| state.failed_handshakes)
    }

    /// Waits until `count` requests came since the start; whether they did in time.
    pub fn wait(&self, count: usize, patience: Duration) -> bool {
        self.wait_until(patience, |state| {
            state.forgotten + state.exchanges.len() >= count
        })
    }

    /// Waits until so many handshakes failed; whether they did in time.
    pub fn wait_for_failed_handshakes(&self, count: usize, patience: Duration) -> bool {
        self.wait_until(patience, |state| state.failed_handshakes >= count)
    }

    fn wait_until(&self, patience: Duration, done: impl Fn(&State) -> bool) -> bool {
        let (state, changed) = &*self.0;
        let waited = changed.wait_timeout_while(locked(state), patience, |state| !done(state));
        let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(guard);
        !timeout.timed_out()
    }

    fn state<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut locked(&self.0.0))
    }

    pub(super) fn begin(&self, method: &str, path: &str, connection: u64) -> InFlight {
        let number = self.state(|state| {
            state.exchanges.push_back(Exchange {
                method: method.to_owned(),
                path: path.to_owned(),
                at: Instant::now(),
                others_in_flight: state.in_flight,
                connection,
                status: None,
            });
            state.in_flight += 1;
            if state.exchanges.len() > KEPT {
                drop(state.exchanges.pop_front());
                state.forgotten += 1;
            }
            state.forgotten + state.exchanges.len() - 1
        });
        self.0.1.notify_all();
        InFlight {
            journal: self.clone(),
            number,
        }
    }

    pub(super) fn handshake_failed(&self) {
        self.state(|state| state.failed_handshakes += 1);
        self.0.1.notify_all();
    }
}

/// A request is under way until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    journal: Journal,
    number: usize,
}

impl InFlight {
    pub(super) fn answered(&self, status: u16) {
        self.journal.state(|state| {
            let at = self.number.checked_sub(state.forgotten);
            if let Some(exchange) = at.and_then(|at| state.exchanges.get_mut(at)) {
                exchange.status = Some(status);
            }
        });
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.journal.state(|state| state.in_flight -= 1);
        self.journal.0.1.notify_all();
    }
}
