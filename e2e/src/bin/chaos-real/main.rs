//! Real agents and aggregators on loopback and a real S3 protocol, while both are killed at random moments, UDP is
//! dropped, the disk is full, the store fails and certificates rotate, and before that the number of aggregators
//! changes. At the end the tables are judged by
//! our own `verify` and by others' readers.

mod blackhole;
mod cluster;
mod faults;
mod judge;
mod metrics;
mod several;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use cluster::Cluster;
use faults::Faults;

/// Between two faults, at most.
const MOST_CALM: Duration = Duration::from_secs(3);

/// Kills what it can, and checks that every row is in the tables once.
#[derive(Debug, Parser)]
#[command(name = "chaos-real")]
struct Arguments {
    /// How long
    #[arg(long = "for", value_name = "DURATION", default_value = "1m", value_parser = humantime::parse_duration)]
    length: Duration,
    /// Where the drawing of faults starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The agent
    #[arg(long, value_name = "FILE", env = "PODLEDGER_AGENT")]
    agent: PathBuf,
    /// The aggregator
    #[arg(long, value_name = "FILE", env = "PODLEDGER_AGGREGATOR")]
    aggregator: PathBuf,
    /// Python with deltalake and duckdb
    #[arg(long, value_name = "FILE", env = "PODLEDGER_PYTHON")]
    python: PathBuf,
    /// The script that reads the tables with them
    #[arg(long, value_name = "FILE", env = "PODLEDGER_READERS")]
    readers: PathBuf,
    /// Nothing but several aggregators whose number changes
    #[arg(long)]
    several: bool,
    /// Keep the tables and what the processes said in this directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            e2e::harness::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether everybody finds every row once.
fn run(arguments: &Arguments) -> Result<bool> {
    let directory = match &arguments.data {
        Some(directory) => directory.clone(),
        None => std::env::temp_dir().join(format!("podledger-chaos-{}", std::process::id())),
    };
    let of_several = several::judge(&arguments.aggregator, &directory.join("several"))
        .context("with several aggregators")?;
    if arguments.several {
        clean(arguments, &directory)?;
        return Ok(of_several);
    }
    let mut cluster = Cluster::start(&directory, &arguments.agent, &arguments.aggregator)
        .context("starting agents and aggregators")?;
    let (fallen_back, returned) = blackhole::measure(&cluster).context("without UDP")?;
    print(&format!(
        "without UDP: on HTTP/1.1 after {:.1} s; with it again: on HTTP/3 after {:.1} s",
        fallen_back.as_secs_f64(),
        returned.as_secs_f64()
    ))?;
    let mut faults = Faults::default();
    let mut rng = StdRng::seed_from_u64(arguments.seed);
    let end = Instant::now() + arguments.length;
    while Instant::now() < end {
        thread::sleep(rng.random_range(Duration::ZERO..MOST_CALM));
        faults.next(&mut cluster, &mut rng)?;
    }
    faults.heal(&mut cluster)?;
    let told = faults.told();
    print(&format!(
        "faults: {told}; everything heals, the agents send what waits"
    ))?;
    cluster.drain().context("draining the spools")?;
    let agrees = judge::judge(arguments, &cluster)?;
    drop(cluster);
    clean(arguments, &directory)?;
    Ok(agrees && of_several)
}

fn clean(arguments: &Arguments, directory: &Path) -> Result<()> {
    match arguments.data {
        Some(_) => Ok(()),
        None => std::fs::remove_dir_all(directory)
            .with_context(|| format!("removing {}", directory.display())),
    }
}

fn print(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
