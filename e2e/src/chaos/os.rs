//! The clock and the random numbers of the operating system, as the thread of a simulation sees them. The
//! program's own `clock_gettime` and `getrandom` (`symbols.rs`) ask here, so that the product needs no
//! switch for tests: its `SystemTime::now`, its hash maps and its random names follow the seed.

use std::{cell::Cell, cell::RefCell, time::Duration};

use super::random::Random;

thread_local! {
    static RANDOM: RefCell<Option<Random>> = const { RefCell::new(None) };
    static NOW: Cell<Option<Now>> = const { Cell::new(None) };
}

/// What the clocks show.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since some point in the past; never jumps.
    pub steady: Duration,
    /// Since 1970, as the process that runs now believes.
    pub wall: Duration,
}

/// From here on this thread lives in a simulation.
pub fn enter(seed: u64, now: Now) {
    RANDOM.set(Some(Random::new(seed)));
    NOW.set(Some(now));
}

/// Turns this thread's clocks.
pub fn set(now: Now) {
    NOW.set(Some(now));
}

/// What this thread's clocks show; `None` outside of a simulation.
pub fn now() -> Option<Now> {
    NOW.try_with(Cell::get).ok().flatten()
}

/// Fills `out` by the seed; false, and nothing is filled, outside of a simulation.
pub fn fill(out: &mut [u8]) -> bool {
    let filled = RANDOM.try_with(|random| {
        let mut random = random.try_borrow_mut().ok()?;
        let random = random.as_mut()?;
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&random.draw().to_le_bytes()[..chunk.len()]);
        }
        Some(())
    });
    matches!(filled, Ok(Some(())))
}
