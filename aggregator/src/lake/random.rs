//! Random names and pauses from one seedable source.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use protocol::Epoch;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// See the module.
pub struct Random {
    source: Mutex<StdRng>,
}

impl Random {
    /// Not to be foretold.
    pub fn of_the_system() -> Self {
        Self {
            source: Mutex::new(StdRng::from_os_rng()),
        }
    }

    /// The same each time.
    pub fn seeded(seed: u64) -> Self {
        Self {
            source: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    /// 128 random bits. Two never meet.
    pub fn id(&self) -> Epoch {
        Epoch(self.draw(rand::Rng::random))
    }

    /// A random GUID of version 4, as Delta wants for the id of a table.
    pub fn guid(&self) -> String {
        let mut bytes = self.id().0;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = Epoch(bytes).to_string();
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        parts.join("-")
    }

    /// Between half of a time and the whole of it: those who failed together don't try again together.
    pub fn jitter(&self, time: Duration) -> Duration {
        time.mul_f64(self.draw(|source| source.random_range(0.5..=1.0)))
    }

    fn draw<T>(&self, how: impl FnOnce(&mut StdRng) -> T) -> T {
        how(&mut self.source.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_guids_are_of_version_4() {
        let (one, two) = (Random::seeded(1), Random::seeded(1));
        assert_eq!(one.guid(), two.guid());
        let guid = one.guid();
        assert_ne!(
            guid,
            Random::seeded(1).guid(),
            "the second draw differs from the first"
        );
        let parts: Vec<usize> = guid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&guid[14..15], "4");
        assert!("89ab".contains(&guid[19..20]));
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let random = Random::seeded(2);
        for _ in 0..100 {
            let time = random.jitter(Duration::from_secs(10));
            assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&time));
        }
    }
}
