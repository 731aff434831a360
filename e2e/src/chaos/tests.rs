//! The simulation itself: it repeats what a seed says, and finds nothing wrong in some worlds.

use std::thread;

use super::run::{Outcome, run};

/// Seeds that found something once.
const SEEDS: &str = include_str!("seeds.txt");

fn all(seeds: &[u64]) -> Vec<Outcome> {
    let half = seeds.len().div_ceil(2).max(1);
    thread::scope(|scope| {
        let run_all = |seeds: &[u64]| {
            seeds
                .iter()
                .map(|seed| run(*seed, false))
                .collect::<Vec<_>>()
        };
        let halves = seeds
            .chunks(half)
            .map(|seeds| scope.spawn(move || run_all(seeds)));
        let halves: Vec<_> = halves.collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    })
}

fn assert_good(seeds: &[u64]) {
    let outcomes = all(seeds);
    assert_eq!(outcomes.len(), seeds.len());
    for outcome in outcomes {
        assert!(outcome.is_good(), "{outcome:#?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 8, 10, 11] {
        let (first, second) = (run(seed, false), run(seed, false));
        assert!(first.events > 100, "{first:?}");
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.events, second.events, "seed {seed}");
    }
    assert_ne!(run(3, false).trace, run(8, false).trace);
}

#[test]
fn seeds_that_found_something_find_nothing_any_more() {
    let lines = SEEDS.lines().filter(|line| !line.starts_with('#'));
    let seed = |line: &str| line.split_whitespace().next().unwrap().parse().unwrap();
    let seeds: Vec<u64> = lines.filter(|line| !line.is_empty()).map(seed).collect();
    assert_good(&seeds);
}

#[test]
fn fifty_worlds_lose_nothing_and_duplicate_nothing() {
    let seeds: Vec<u64> = (1_000_000..1_000_050).collect();
    assert_good(&seeds);
}
