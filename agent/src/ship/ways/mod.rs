//! HTTP/3 or HTTP/1.1: decides which way the next request takes, and when HTTP/3 is probed while it is
//! not in use. Pure, as `delivery`: time and outcomes come in as values.

#[cfg(test)]
mod tests;

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::config::Transport;

/// A way to an aggregator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// QUIC.
    Http3,
    /// TCP with TLS.
    Http1,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Http3, Self::Http1];

    /// As it is counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http3 => "http3",
            Self::Http1 => "http1",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Http3 => Self::Http1,
            Self::Http1 => Self::Http3,
        }
    }
}

/// When HTTP/3 is probed while HTTP/1.1 is in use.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// After it was left.
    pub probe_first: Duration,
    /// After a probe that failed, at most.
    pub probe_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probe_first: Duration::from_secs(15),
            probe_every: Duration::from_secs(30),
        }
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try [`Ways::way`] at once: it is another one now.
    Turn,
    /// Wait.
    BackOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    At(Duration),
    Running,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In use; it works, or nothing was tried yet.
    Http3,
    /// In use, because HTTP/3 failed.
    Http1 { has_worked: bool, probe: Probe },
    /// Both failed last: they take turns, with waits between.
    Neither { next: Way },
}

/// See the module.
#[derive(Debug)]
pub struct Ways {
    transport: Transport,
    timing: Timing,
    random: StdRng,
    state: State,
}

impl Ways {
    /// Begins with HTTP/3, unless the setting says otherwise.
    pub fn new(transport: Transport, timing: Timing, seed: u64) -> Self {
        Self {
            transport,
            timing,
            random: StdRng::seed_from_u64(seed),
            state: State::Http3,
        }
    }

    /// The way that the next request takes.
    pub fn way(&self) -> Way {
        match (self.transport, self.state) {
            (Transport::Http3, _) | (Transport::Auto, State::Http3) => Way::Http3,
            (Transport::Http1, _) | (Transport::Auto, State::Http1 { .. }) => Way::Http1,
            (Transport::Auto, State::Neither { next }) => next,
        }
    }

    /// When HTTP/3 is to be probed; never while it is in use, or probed already.
    pub fn probe_at(&self) -> Option<Duration> {
        match (self.transport, self.state) {
            (
                Transport::Auto,
                State::Http1 {
                    probe: Probe::At(at),
                    ..
                },
            ) => Some(at),
            _ => None,
        }
    }

    /// A probe is on its way.
    pub fn on_probe_begun(&mut self) {
        if let State::Http1 { probe, .. } = &mut self.state {
            *probe = Probe::Running;
        }
    }

    /// A probe came back.
    pub fn on_probe(&mut self, now: Duration, has_worked: bool) {
        if has_worked {
            self.state = State::Http3;
        } else if let State::Http1 { probe, .. } = &mut self.state {
            // Not all agents at the same instant.
            let wait = self
                .timing
                .probe_every
                .mul_f64(self.random.random_range(0.8..=1.0));
            *probe = Probe::At(now + wait);
        }
    }

    /// Another address is in use: what the last one let through says nothing of it.
    pub fn on_move(&mut self) {
        self.state = State::Http3;
    }

    /// An answer came on that way, whatever it said.
    pub fn on_success(&mut self, now: Duration, way: Way) {
        match (way, &mut self.state) {
            (Way::Http3, state) => *state = State::Http3,
            (Way::Http1, State::Http1 { has_worked, .. }) => *has_worked = true,
            (Way::Http1, State::Neither { .. }) => self.turn_to_http1(now, true),
            // A probe came back in between.
            (Way::Http1, State::Http3) => {}
        }
    }

    /// No answer came on that way.
    pub fn on_failure(&mut self, now: Duration, way: Way) -> Verdict {
        if self.transport != Transport::Auto {
            return Verdict::BackOff;
        }
        if way != self.way() {
            // A probe came back in between.
            return Verdict::Turn;
        }
        match self.state {
            State::Http3 => {
                self.turn_to_http1(now, false);
                Verdict::Turn
            }
            State::Http1 { has_worked, .. } => {
                self.state = State::Neither { next: Way::Http3 };
                if has_worked {
                    Verdict::Turn
                } else {
                    Verdict::BackOff
                }
            }
            State::Neither { next } => {
                self.state = State::Neither { next: next.other() };
                Verdict::BackOff
            }
        }
    }

    fn turn_to_http1(&mut self, now: Duration, has_worked: bool) {
        self.state = State::Http1 {
            has_worked,
            probe: Probe::At(now + self.timing.probe_first),
        };
    }
}
