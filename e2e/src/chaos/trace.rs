//! What happened, as a hash that tells two runs apart, and on request in words.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    time::Duration,
};

/// See the module.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    events: u64,
    is_told: bool,
}

impl Trace {
    /// An empty one; told on standard error as it grows, if `is_told`.
    pub const fn new(is_told: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            events: 0,
            is_told,
        }
    }

    /// One thing that happened at this time.
    pub fn note(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        self.events += 1;
        if self.is_told {
            // A trace that nobody reads any more must not end the run.
            drop(writeln!(
                std::io::stderr(),
                "{:>12.6} {what}",
                at.as_secs_f64()
            ));
        }
        let mut hasher = Hasher(self.hash);
        // Writing into a number never fails.
        writeln!(hasher, "{} {what}", at.as_micros()).unwrap_or_default();
        self.hash = hasher.0;
    }

    /// The same for two runs in which the same happened.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// How many things happened.
    pub const fn events(&self) -> u64 {
        self.events
    }
}

/// FNV-1a.
struct Hasher(u64);

impl fmt::Write for Hasher {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
