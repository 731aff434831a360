//! Which requests go wrong, and how: shares of all requests, drawn from a seed, changed at run time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Method;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// How requests go wrong. Shares are from 0 to 1; together at most 1, `slow` apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Where the drawing starts.
    pub seed: u64,
    /// Only requests whose path and query contain this.
    pub only: String,
    /// Only this method; any if empty.
    pub method: String,
    /// At most so many faults, then none.
    pub limit: Option<u64>,
    /// 500, nothing done.
    pub internal: f64,
    /// 503, nothing done.
    pub unavailable: f64,
    /// 429, nothing done.
    pub throttled: f64,
    /// 409 to a conditional put, as S3 answers some of two at once; nothing done.
    pub conflict: f64,
    /// No answer ever, nothing done.
    pub silent: f64,
    /// Done, but 500.
    pub done_error: f64,
    /// Done, but no answer ever.
    pub done_silent: f64,
    /// 500 at once, and done `delay_ms` later.
    pub late: f64,
    /// Done `delay_ms` later, and answered then.
    pub slow: f64,
    /// See `late` and `slow`.
    pub delay_ms: u64,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests in all.
    pub requests: u64,
    /// Of them those that write: anything but GET and HEAD.
    pub writes: u64,
    /// Requests that went wrong on purpose; slow ones are not wrong.
    pub faults: u64,
    /// Puts that were refused because there was such an object: 412.
    pub refused: u64,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This status, nothing done.
    Status(u16),
    Silent,
    DoneError,
    DoneSilent,
    Late,
}

/// A drawn fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) fault: Option<Fault>,
    /// Of a late or slow request; nothing of others.
    pub(super) delay: Duration,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    random: StdRng,
    left: Option<u64>,
    counts: Counts,
}

/// A handle; all clones are of one server.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Mutex<State>>);

impl Default for Faults {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            rules: Rules::default(),
            random: StdRng::seed_from_u64(0),
            left: None,
            counts: Counts::default(),
        })))
    }
}

impl Faults {
    /// From now on these, drawn from their seed anew.
    pub fn set(&self, rules: Rules) {
        let mut state = self.state();
        state.random = StdRng::seed_from_u64(rules.seed);
        state.left = rules.limit;
        state.rules = rules;
    }

    /// From now on none.
    pub fn clear(&self) {
        self.set(Rules::default());
    }

    /// Those in force.
    pub fn rules(&self) -> Rules {
        self.state().rules.clone()
    }

    /// What happened since the start.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    pub(super) fn refused(&self) {
        self.state().counts.refused += 1;
    }

    pub(super) fn draw(&self, method: &Method, path: &str, is_conditional: bool) -> Fate {
        let mut state = self.state();
        let is_write = method != Method::GET && method != Method::HEAD;
        state.counts.requests += 1;
        state.counts.writes += u64::from(is_write);
        let fate = state.fate(method, path, is_conditional);
        state.counts.faults += u64::from(fate.fault.is_some());
        fate
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers only: a thread that panicked left nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fate(&mut self, method: &Method, path: &str, is_conditional: bool) -> Fate {
        let rules = &self.rules;
        let is_meant = path.contains(&rules.only)
            && (rules.method.is_empty() || method.as_str() == rules.method);
        let mut fate = Fate {
            fault: None,
            delay: Duration::ZERO,
        };
        if !is_meant || self.left == Some(0) {
            return fate;
        }
        // Both are drawn for each request, so that one seed gives one sequence.
        let (point, slow): (f64, f64) = (self.random.random(), self.random.random());
        fate.fault = rules.at(point, is_conditional);
        if fate.fault == Some(Fault::Late) || slow < rules.slow {
            fate.delay = Duration::from_millis(rules.delay_ms);
        }
        if let Some(left) = self.left.as_mut().filter(|_| fate.fault.is_some()) {
            *left -= 1;
        }
        fate
    }
}

impl Rules {
    /// The fault at a point of the line from 0 to 1 on which the shares lie one after another.
    fn at(&self, point: f64, is_conditional: bool) -> Option<Fault> {
        let conflict = if is_conditional { self.conflict } else { 0.0 };
        let shares = [
            (self.internal, Fault::Status(500)),
            (self.unavailable, Fault::Status(503)),
            (self.throttled, Fault::Status(429)),
            (conflict, Fault::Status(409)),
            (self.silent, Fault::Silent),
            (self.done_error, Fault::DoneError),
            (self.done_silent, Fault::DoneSilent),
            (self.late, Fault::Late),
        ];
        let mut end = 0.0;
        shares.into_iter().find_map(|(share, fault)| {
            end += share;
            (point < end).then_some(fault)
        })
    }
}
