//! That agents are spread evenly, move no more than they must, and never stay with whom is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{Spread, Timing, Verdict, rank};

const NODES: u32 = 5_000;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// As pods of a cluster have them: close to each other.
fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 42, number % 3, 7 + number], 8443))
}

fn addresses(numbers: impl IntoIterator<Item = u8>) -> Vec<SocketAddr> {
    numbers.into_iter().map(address).collect()
}

fn node(number: u32) -> String {
    format!("ip-10-0-{}-{}.ec2.internal", number / 250, number % 250)
}

/// Whom each node chooses.
fn chosen(of: &[SocketAddr]) -> Vec<SocketAddr> {
    let choose = |number| {
        let mut places = of.to_vec();
        rank::rank(&node(number), &mut places, SocketAddr::ip);
        places[0]
    };
    (0..NODES).map(choose).collect()
}

fn counts(chosen: &[SocketAddr]) -> BTreeMap<SocketAddr, u32> {
    let mut counts = BTreeMap::new();
    for address in chosen {
        *counts.entry(*address).or_default() += 1;
    }
    counts
}

/// Four standard deviations of fair dice around the mean: no hash can promise less.
fn is_fair(count: u32, of: usize) -> bool {
    let share = 1.0 / of as f64;
    let mean = f64::from(NODES) * share;
    (f64::from(count) - mean).abs() <= 4.0 * (mean * (1.0 - share)).sqrt()
}

#[test]
fn nodes_are_balanced() {
    for many in 1..=16 {
        let of = addresses(0..many);
        let counts = counts(&chosen(&of));
        assert_eq!(counts.len(), of.len());
        let mean = f64::from(NODES) / f64::from(many);
        for count in counts.into_values() {
            assert!(is_fair(count, of.len()), "{count} of {many}");
            let off = (f64::from(count) - mean).abs() / mean;
            assert!(off < 0.1 || many > 6, "{off} of {many}");
        }
    }
}

#[test]
fn only_those_move_whose_address_comes_or_goes() {
    for many in 1..=15 {
        let (few, more) = (addresses(0..many), addresses(0..=many));
        let (of_few, of_more) = (chosen(&few), chosen(&more));
        let moved: Vec<_> = (of_few.iter().zip(&of_more))
            .filter(|(few, more)| few != more)
            .collect();
        assert!(moved.iter().all(|(_, more)| **more == address(many)));
        assert!(is_fair(moved.len() as u32, more.len()));
        // Those of a lost one are spread over all others.
        if many > 1 {
            let targets: BTreeSet<_> = moved.iter().map(|(few, _)| **few).collect();
            assert_eq!(targets.len(), few.len());
        }
    }
}

#[test]
fn the_choice_is_the_same_in_all_versions() {
    let weight = |address: [u8; 4]| rank::weight("node-1", IpAddr::from(address));
    assert_eq!(weight([10, 0, 0, 1]), 0xd4eb_9cae_b9e1_042d);
    let v6 = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
    assert_ne!(rank::weight("node-1", v6), weight([10, 0, 0, 1]));
}

fn spread(of: &[SocketAddr]) -> Spread {
    let mut spread = Spread::new("node-1", Timing::default(), 1);
    spread.on_lookup_begun();
    spread.on_lookup(seconds(1), of);
    spread
}

/// The addresses in the order of this node.
fn ranked(numbers: impl IntoIterator<Item = u8>) -> Vec<SocketAddr> {
    let mut places = addresses(numbers);
    rank::rank("node-1", &mut places, SocketAddr::ip);
    places
}

#[test]
fn after_a_failure_the_next_in_order_is_used() {
    let order = ranked(0..4);
    let mut spread = spread(&order);
    for (number, next) in order.iter().enumerate() {
        assert_eq!(spread.at(), Some(*next));
        let expected = match number {
            3 => Verdict::BackOff,
            _ => Verdict::Turn,
        };
        assert_eq!(spread.on_failure(seconds(1)), expected);
    }
    let tried: BTreeSet<_> = (0..4)
        .map(|_| {
            let at = spread.at();
            assert_eq!(spread.on_failure(seconds(2)), Verdict::BackOff);
            at
        })
        .collect();
    assert_eq!(tried.len(), 4, "all get their turn");
}

#[test]
fn one_that_failed_is_come_back_to_after_a_rest() {
    let order = ranked(0..4);
    let mut spread = spread(&order);
    spread.on_failure(seconds(10));
    spread.on_answer();
    let move_at = spread.move_at().unwrap();
    assert!(
        move_at >= seconds(34) && move_at <= seconds(70),
        "{move_at:?}"
    );
    spread.on_time(move_at);
    assert_eq!(spread.at(), Some(order[0]));
    spread.on_failure(move_at);
    let again = spread.move_at().unwrap() - move_at;
    assert!(again >= seconds(48), "twice as long: {again:?}");
}

#[test]
fn a_better_address_is_moved_to_and_not_by_all_at_once() {
    let order = ranked(0..4);
    let mut times = Vec::new();
    for seed in 0..200 {
        let mut spread = Spread::new("node-1", Timing::default(), seed);
        spread.on_lookup(seconds(1), &order[1..]);
        assert_eq!((spread.at(), spread.move_at()), (Some(order[1]), None));
        spread.on_lookup(seconds(100), &order);
        let move_at = spread.move_at().unwrap();
        // What is planned is not put off.
        spread.on_lookup(seconds(100), &order);
        assert_eq!(spread.move_at(), Some(move_at));
        spread.on_time(move_at - Duration::from_millis(1));
        assert_eq!(spread.at(), Some(order[1]));
        spread.on_time(move_at);
        assert_eq!((spread.at(), spread.move_at()), (Some(order[0]), None));
        times.push(move_at - seconds(100));
    }
    times.sort();
    assert!(times[0] < seconds(3) && times[199] > seconds(27) && times[199] <= seconds(30));
    assert!(times[100] > seconds(10) && times[100] < seconds(20));
}

#[test]
fn one_that_is_gone_is_left() {
    let order = ranked(0..2);
    let mut spread = spread(&order);
    spread.on_lookup(seconds(40), &order[1..]);
    assert_eq!(spread.at(), Some(order[0]), "it may still serve");
    spread.on_time(spread.move_at().unwrap());
    assert_eq!(spread.at(), Some(order[1]));
    // Who is in trouble does not wait.
    assert_eq!(spread.on_failure(seconds(80)), Verdict::BackOff);
    spread.on_lookup(seconds(81), &order[..1]);
    assert_eq!(spread.at(), Some(order[0]));
}

#[test]
fn a_move_that_is_not_wanted_any_more_is_not_made() {
    let order = ranked(0..2);
    let mut spread = spread(&order[1..]);
    spread.on_lookup(seconds(40), &order);
    spread.on_lookup(seconds(41), &order[1..]);
    assert_eq!((spread.at(), spread.move_at()), (Some(order[1]), None));
}

#[test]
fn without_dns_all_stays_as_it_is() {
    let order = ranked(0..3);
    let mut spread = spread(&order);
    spread.on_lookup(seconds(40), &[]);
    assert_eq!(spread.at(), Some(order[0]));
    assert_eq!(spread.on_failure(seconds(41)), Verdict::Turn);
    assert_eq!(spread.at(), Some(order[1]));
}

#[test]
fn a_host_is_looked_up_now_and_then_and_after_failures() {
    let mut spread = spread(&addresses(0..3));
    let regular = spread.lookup_at().unwrap();
    assert!(
        regular >= seconds(25) && regular <= seconds(37),
        "{regular:?}"
    );
    spread.on_failure(seconds(2));
    assert_eq!(
        spread.lookup_at(),
        Some(seconds(3)),
        "but not at each instant"
    );
    spread.on_lookup_begun();
    spread.on_failure(seconds(3));
    assert_eq!(spread.lookup_at(), None);
}

#[test]
fn an_address_is_no_host_and_alone_stays_alone() {
    let mut fixed = Spread::fixed("node-1", address(1));
    assert_eq!((fixed.at(), fixed.lookup_at()), (Some(address(1)), None));
    assert_eq!(fixed.on_failure(seconds(1)), Verdict::BackOff);
    assert_eq!((fixed.at(), fixed.lookup_at()), (Some(address(1)), None));
    let mut single = spread(&addresses(0..1));
    assert_eq!(single.on_failure(seconds(2)), Verdict::BackOff);
    assert_eq!((single.at(), single.move_at()), (Some(address(0)), None));
}

/// Whatever fails, comes and goes: once all is calm everybody is where they belong.
#[test]
fn in_the_end_everybody_is_at_the_best() {
    for seed in 0..500 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut spread = Spread::new(&node(seed as u32), Timing::default(), seed);
        let mut now = Duration::ZERO;
        for _ in 0..random.random_range(1..60) {
            now += Duration::from_millis(random.random_range(0..20_000));
            spread.on_time(now);
            match random.random_range(0..4) {
                0 => drop(spread.on_failure(now)),
                1 => spread.on_answer(),
                _ => {
                    let found = (0..6).filter(|_| random.random_bool(0.5));
                    spread.on_lookup(now, &addresses(found));
                }
            }
        }
        let there = addresses(0..random.random_range(1..6));
        spread.on_lookup(now, &there);
        while let Some(at) = spread.move_at() {
            assert!(at <= now + seconds(631), "seed {seed}: {at:?} at {now:?}");
            now = now.max(at);
            spread.on_time(now);
        }
        let mut order = there;
        rank::rank(&node(seed as u32), &mut order, SocketAddr::ip);
        assert_eq!(spread.at(), Some(order[0]), "seed {seed}");
    }
}
