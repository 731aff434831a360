//! What all parts of one run share: the seed's numbers, the time, and the record of what happened.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{os, profile::Profile, random::Random, trace::Trace};

/// Locks; a run in which a part panicked is over anyway.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 2026-01-01, since 1970.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// One world in so many is narrow.
const NARROW: u64 = 8;
/// Numbers of their own for what decides how many aggregators there are.
const OF_SCALES: u64 = 0x5ca1_ab1e_0000_0000;

/// See the module.
#[derive(Debug)]
pub struct World {
    /// How wild it is.
    pub profile: Profile,
    random: Mutex<Random>,
    trace: Mutex<Trace>,
    start: Instant,
    is_healed: AtomicBool,
    crashes: AtomicU64,
    problems: Mutex<Vec<String>>,
}

impl World {
    /// The world of a seed, at its beginning. Needs a paused runtime.
    pub fn new(seed: u64, is_told: bool) -> Arc<Self> {
        let mut random = Random::new(seed);
        let mut profile = Profile::draw(&mut random);
        if seed % NARROW == NARROW - 1 {
            profile.narrow();
        }
        profile.scale(&mut Random::new(seed ^ OF_SCALES));
        Self::with_profile(random, profile, is_told)
    }

    /// A world that is as wild as `profile` says.
    pub fn with_profile(random: Random, profile: Profile, is_told: bool) -> Arc<Self> {
        let world = Self {
            profile,
            random: Mutex::new(random),
            trace: Mutex::new(Trace::new(is_told)),
            start: Instant::now(),
            is_healed: AtomicBool::new(false),
            crashes: AtomicU64::new(0),
            problems: Mutex::new(Vec::new()),
        };
        Arc::new(world)
    }

    /// What the clocks of a seed show at the beginning.
    pub const fn first_moment() -> os::Now {
        os::Now {
            steady: Duration::from_secs(1_000_000),
            wall: BEGINNING,
        }
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What the clocks of a process show that are wrong by `skew_us`.
    pub fn clocks(&self, skew_us: i64) -> os::Now {
        let elapsed = self.elapsed();
        let first = Self::first_moment();
        let skew = Duration::from_micros(skew_us.unsigned_abs());
        let right = first.wall + elapsed;
        let wall = if skew_us < 0 {
            right.saturating_sub(skew)
        } else {
            right + skew
        };
        os::Now {
            steady: first.steady + elapsed,
            wall,
        }
    }

    /// Draws from the seed's numbers.
    pub fn draw<T>(&self, from: impl FnOnce(&mut Random) -> T) -> T {
        from(&mut lock(&self.random))
    }

    /// True in so many of 10,000 cases while the world is not healed.
    pub fn chance(&self, of_ten_thousand: u32) -> bool {
        self.draw(|random| random.chance(of_ten_thousand)) && !self.is_healed()
    }

    /// Sleeps for up to `most_ms`; a third of it when healed.
    pub async fn linger(&self, most_ms: u64) {
        let us = self.draw(|random| random.between(100, most_ms.max(1) * 1_000));
        let us = if self.is_healed() { us / 3 } else { us };
        tokio::time::sleep(Duration::from_micros(us)).await;
    }

    /// Notes what happened.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        lock(&self.trace).note(self.elapsed(), what);
    }

    /// Nothing fails from here on.
    pub fn heal(&self) {
        self.note(format_args!("the world heals"));
        self.is_healed.store(true, Ordering::Relaxed);
    }

    /// Whether nothing fails any more.
    pub fn is_healed(&self) -> bool {
        self.is_healed.load(Ordering::Relaxed)
    }

    /// Counts a crash.
    pub fn crashed(&self) {
        self.crashes.fetch_add(1, Ordering::Relaxed);
    }

    /// Crashes so far.
    pub fn crashes(&self) -> u64 {
        self.crashes.load(Ordering::Relaxed)
    }

    /// Something that must never be.
    pub fn problem(&self, what: String) {
        self.note(format_args!("BROKEN: {what}"));
        let mut problems = lock(&self.problems);
        if problems.len() < 20 && !problems.contains(&what) {
            problems.push(what);
        }
    }

    /// Whether something is broken already.
    pub fn is_broken(&self) -> bool {
        !lock(&self.problems).is_empty()
    }

    /// All of them.
    pub fn problems(&self) -> Vec<String> {
        lock(&self.problems).clone()
    }

    /// Hash and number of what happened.
    pub fn trace(&self) -> (u64, u64) {
        let trace = lock(&self.trace);
        (trace.hash(), trace.events())
    }
}
