//! Runs the simulation for many seeds. The last line says what was found:
//! `N seeds, C crashes, L lost, D duplicated`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks on the terminal"
)]

#[path = "../../chaos/symbols.rs"]
mod symbols;

use std::{
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use clap::Parser;
use e2e::chaos::{
    os,
    run::{Outcome, run},
    world::lock,
};

/// Runs agents, aggregators, network and store in one process with seeded chances.
#[derive(Parser)]
struct Args {
    /// How many seeds
    #[arg(long, value_name = "N")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1, value_name = "K")]
    first_seed: u64,
    /// Tell everything that happens, on standard error
    #[arg(long)]
    trace: bool,
    /// Tell of every seed what came out
    #[arg(long)]
    each: bool,
}

/// Seeds between two lines of progress.
const BETWEEN_LINES: u64 = 2_000;

#[derive(Default)]
struct Sum {
    seeds: u64,
    crashes: u64,
    lost: u64,
    duplicated: u64,
    bad: Vec<Outcome>,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.crashes += outcome.crashes;
        self.lost += outcome.verdict.lost;
        self.duplicated += outcome.verdict.duplicated;
        if !outcome.is_good() {
            self.bad.push(outcome);
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(args.first_seed);
    let end = args.first_seed.saturating_add(args.seeds);
    let sum = Mutex::new(Sum::default());
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| work(&args, &next, end, &sum));
        }
    });
    report(&args, &mut lock(&sum))
}

fn work(args: &Args, next: &AtomicU64, end: u64, sum: &Mutex<Sum>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let outcome = run(seed, args.trace);
        if args.each {
            println!(
                "seed {seed}: {} crashes, {} batches, {} requests to the store, {} events, {:?}, trace {:016x}",
                outcome.crashes,
                outcome.batches,
                outcome.requests,
                outcome.events,
                outcome.span,
                outcome.trace
            );
        }
        let mut sum = lock(sum);
        sum.add(outcome);
        if sum.seeds.is_multiple_of(BETWEEN_LINES) {
            let (done, bad) = (sum.seeds, sum.bad.len());
            eprintln!("{done} of {} seeds, {bad} failed", args.seeds);
        }
    }
}

fn report(args: &Args, sum: &mut Sum) -> ExitCode {
    sum.bad.sort_by_key(|outcome| outcome.seed);
    for outcome in &sum.bad {
        println!("seed {}:", outcome.seed);
        for problem in &outcome.problems {
            println!("  {problem}");
        }
    }
    if let Some(outcome) = sum.bad.first() {
        println!(
            "{} seeds failed; replay one with: cargo xtask chaos --first-seed {} --seeds 1 --trace",
            sum.bad.len(),
            outcome.seed
        );
    }
    let Sum {
        crashes,
        lost,
        duplicated,
        ..
    } = sum;
    println!(
        "{} seeds, {crashes} crashes, {lost} lost, {duplicated} duplicated",
        args.seeds
    );
    match sum.bad.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
