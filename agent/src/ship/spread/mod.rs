//! Where the endpoint's host has several addresses: which of them is used, when the next one is, and when
//! the agent moves to a better one. It spreads agents over aggregators and is a hint only: any
//! aggregator may take any batch. Pure, as `delivery`: time, addresses and failures come in as values.

mod rank;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// More addresses are left out, the worst for this node first.
const MOST_PLACES: usize = 64;

/// Waits of the spreading.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From one look-up of the host to the next.
    pub lookup_every: Duration,
    /// The same, at least, when addresses fail.
    pub lookup_soonest: Duration,
    /// Within this time after a better address appeared agents move there: thousands do so at once.
    pub move_within: Duration,
    /// An address that failed is left alone for so long; twice as long after each further failure.
    pub rest_first: Duration,
    /// It does not grow beyond.
    pub rest_longest: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lookup_every: Duration::from_secs(30),
            lookup_soonest: Duration::from_secs(2),
            move_within: Duration::from_secs(30),
            rest_first: Duration::from_secs(30),
            rest_longest: Duration::from_secs(600),
        }
    }
}

/// What to do after an address failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try [`Spread::at`] at once: it is another one now, that did not fail lately.
    Turn,
    /// Wait.
    BackOff,
}

/// An address.
#[derive(Clone, Copy, Debug)]
struct Place {
    address: SocketAddr,
    /// Failures since it worked last.
    failures: u32,
    rests_until: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Spread {
    node: String,
    timing: Timing,
    random: StdRng,
    /// The best one first.
    places: Vec<Place>,
    at: Option<SocketAddr>,
    move_at: Option<Duration>,
    /// None: it is under way, or there is nothing to look up.
    lookup_at: Option<Duration>,
    looked_up: Duration,
}

impl Spread {
    /// Of a host that is looked up.
    pub fn new(node: &str, timing: Timing, seed: u64) -> Self {
        Self {
            node: node.to_owned(),
            timing,
            random: StdRng::seed_from_u64(seed),
            places: Vec::new(),
            at: None,
            move_at: None,
            lookup_at: Some(Duration::ZERO),
            looked_up: Duration::ZERO,
        }
    }

    /// Of a host that is an address.
    pub fn fixed(node: &str, address: SocketAddr) -> Self {
        Self {
            at: Some(address),
            lookup_at: None,
            ..Self::new(node, Timing::default(), 0)
        }
    }

    /// The address in use; none before the first look-up.
    pub fn at(&self) -> Option<SocketAddr> {
        self.at
    }

    /// When the host is to be looked up; never while it is.
    pub fn lookup_at(&self) -> Option<Duration> {
        self.lookup_at
    }

    /// When [`Spread::on_time`] has something to do.
    pub fn move_at(&self) -> Option<Duration> {
        self.move_at
    }

    /// A look-up is on its way.
    pub fn on_lookup_begun(&mut self) {
        self.lookup_at = None;
    }

    /// A look-up came back; empty-handed it changes nothing, for aggregators can do without DNS.
    pub fn on_lookup(&mut self, now: Duration, found: &[SocketAddr]) {
        self.looked_up = now;
        let wait = self.timing.lookup_every;
        self.lookup_at = Some(now + wait.mul_f64(self.random.random_range(0.8..=1.2)));
        if found.is_empty() {
            return;
        }
        // Whoever is in trouble does not wait to be moved.
        let is_well = self.at.is_some_and(|at| !self.rests(at, now));
        let fresh = |address: &SocketAddr| Place {
            address: *address,
            failures: 0,
            rests_until: Duration::ZERO,
        };
        let mut places: Vec<Place> = found
            .iter()
            .map(|address| self.place(*address).copied().unwrap_or(fresh(address)))
            .collect();
        rank::rank(&self.node, &mut places, |place| place.address.ip());
        places.dedup_by_key(|place| place.address);
        places.truncate(MOST_PLACES);
        self.places = places;
        if !is_well {
            self.at = self.best(now).or(self.at);
        }
        self.plan(now);
    }

    /// The address in use answers.
    pub fn on_answer(&mut self) {
        let at = self.at;
        if let Some(place) = self.places.iter_mut().find(|one| Some(one.address) == at) {
            place.failures = 0;
            place.rests_until = Duration::ZERO;
        }
    }

    /// The address in use fails, on every way. One that is alone is the one to try again.
    pub fn on_failure(&mut self, now: Duration) -> Verdict {
        let soonest = self.looked_up + self.timing.lookup_soonest;
        self.lookup_at = self.lookup_at.map(|at| at.min(soonest.max(now)));
        let (at, rest) = (self.at, self.random.random_range(0.8..=1.0));
        if let Some(place) = self.places.iter_mut().find(|one| Some(one.address) == at) {
            let doubled = self.timing.rest_first * (1 << place.failures.min(10));
            place.failures += 1;
            place.rests_until = now + doubled.min(self.timing.rest_longest).mul_f64(rest);
        }
        let next = self.best(now);
        // All of them failed lately: one after the other, with waits between.
        self.at = next.or_else(|| self.longest_rested()).or(self.at);
        self.plan(now);
        match next {
            Some(_) => Verdict::Turn,
            None => Verdict::BackOff,
        }
    }

    /// Moves, if it is time to.
    pub fn on_time(&mut self, now: Duration) {
        if self.move_at.is_some_and(|at| at <= now) {
            self.move_at = None;
            self.at = self.best(now).or(self.at);
            self.plan(now);
        }
    }

    fn rests(&self, address: SocketAddr, now: Duration) -> bool {
        let place = self.place(address);
        place.is_some_and(|place| place.rests_until > now)
    }

    fn place(&self, address: SocketAddr) -> Option<&Place> {
        self.places.iter().find(|place| place.address == address)
    }

    fn best(&self, now: Duration) -> Option<SocketAddr> {
        let is_well = |place: &&Place| place.rests_until <= now;
        self.places.iter().find(is_well).map(|place| place.address)
    }

    fn longest_rested(&self) -> Option<SocketAddr> {
        let others = self.places.iter();
        let others = others.filter(|place| Some(place.address) != self.at);
        let longest = others.min_by_key(|place| place.rests_until);
        longest.map(|place| place.address)
    }

    /// When to move to a better one: soon after the first of them is there and well. An address that is
    /// not told any more is worse than all others.
    fn plan(&mut self, now: Duration) {
        let better = self.places.iter();
        let better = better.take_while(|place| Some(place.address) != self.at);
        let Some(well_at) = better.map(|place| place.rests_until).min() else {
            self.move_at = None;
            return;
        };
        let (soonest, within) = (well_at.max(now), self.timing.move_within);
        // What is planned stays planned, or each look-up would put it off.
        if self
            .move_at
            .is_none_or(|at| at < well_at || at > soonest + within)
        {
            self.move_at = Some(soonest + within.mul_f64(self.random.random()));
        }
    }
}
