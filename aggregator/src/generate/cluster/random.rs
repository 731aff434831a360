//! Chance, as workloads have it.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// A stream of its own for each part of a cluster.
pub(super) fn stream(seed: u64, part: &str, number: u64) -> StdRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    for (to, from) in bytes[16..].iter_mut().zip(part.bytes()) {
        *to = from;
    }
    StdRng::from_seed(bytes)
}

/// Normal, with mean 0 and deviation 1.
pub(super) fn normal(rng: &mut StdRng) -> f64 {
    let (length, turn): (f64, f64) = (rng.random_range(f64::MIN_POSITIVE..1.0), rng.random());
    (-2.0 * length.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
}

/// One of several.
pub(super) fn pick<T: Copy>(rng: &mut StdRng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

/// Between two values that are apart by factors, not by steps.
pub(super) fn between(rng: &mut StdRng, low: f64, high: f64) -> f64 {
    rng.random_range(low.log2()..high.log2()).exp2()
}
