//! `e2e-bench aggregator`: what it costs to take the rows of a large cluster in and to commit them, beside
//! an aggregator of the plain kind.

mod clients;
mod full_speed;
mod plain;
mod sustained;

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::numbers::rounded;
use full_speed::FullSpeed;

/// What to print.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    /// Nodes
    #[arg(long, default_value_t = 5000)]
    nodes: usize,
    /// Pods of each node
    #[arg(long, default_value_t = 110)]
    pods: usize,
    /// Measure only this part
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// Length of a window
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// Windows of the sustained load
    #[arg(long, default_value_t = 3)]
    windows: u32,
    /// Fail where a number is beyond its bound by more than this factor, for example 1.25
    #[arg(long, value_name = "FACTOR")]
    check: Option<f64>,
    /// The aggregator; not needed at full speed, which runs in this process
    #[arg(
        long,
        value_name = "FILE",
        env = "PODLEDGER_AGGREGATOR",
        required_unless_present = "only"
    )]
    aggregator: Option<PathBuf>,
    /// Python with pyarrow
    #[arg(
        long,
        value_name = "FILE",
        env = "PODLEDGER_PYTHON",
        requires = "plain"
    )]
    python: Option<PathBuf>,
    /// The plain aggregator to compare with
    #[arg(
        long,
        value_name = "FILE",
        env = "PODLEDGER_PLAIN_AGGREGATOR",
        requires = "python"
    )]
    plain: Option<PathBuf>,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Part {
    /// From bodies to committed files
    FullSpeed,
}

/// The figures.
#[derive(Serialize)]
struct Figures {
    #[serde(flatten)]
    full: FullSpeed,
    plain_rows_per_core_second: Option<f64>,
    over_plain: Option<f64>,
    sustained_rows_per_second: f64,
    sustained_cores: f64,
    sustained_rss_mib: f64,
    kib_per_connection: f64,
    received_ms_p99: f64,
    storm_seconds: f64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let directory = std::env::temp_dir().join(format!("podledger-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let done = match args.only {
        Some(Part::FullSpeed) => full_speed::measure(args, &directory)
            .and_then(|full| report(args, &full, FullSpeed::check)),
        None => {
            measure(args, &directory).and_then(|figures| report(args, &figures, Figures::check))
        }
    };
    std::fs::remove_dir_all(&directory)?;
    done
}

/// Prints figures, and checks them if that is asked for.
fn report<T: Serialize + fmt::Display>(
    args: &Args,
    figures: &T,
    check: impl Fn(&T, f64) -> Result<()>,
) -> Result<()> {
    crate::print(&if args.json {
        serde_json::to_string(figures)?
    } else {
        figures.to_string()
    })?;
    args.check.map_or(Ok(()), |factor| check(figures, factor))
}

fn measure(args: &Args, directory: &std::path::Path) -> Result<Figures> {
    let full = full_speed::measure(args, directory).context("at full speed")?;
    let plain = match (&args.python, &args.plain) {
        (Some(python), Some(script)) => {
            Some(plain::measure(args, python, script, directory).context("the plain aggregator")?)
        }
        _ => None,
    };
    let aggregator = args.aggregator.as_deref().context("no aggregator")?;
    let load = sustained::measure(args, aggregator, directory).context("sustained")?;
    Ok(Figures {
        plain_rows_per_core_second: plain.map(f64::round),
        over_plain: plain.map(|plain| rounded(full.rows_per_core_second / plain)),
        sustained_rows_per_second: rounded(
            (args.nodes * args.pods) as f64 / args.interval.as_secs_f64(),
        ),
        sustained_cores: rounded(load.cores),
        sustained_rss_mib: rounded(load.rss_mib),
        kib_per_connection: rounded(load.kib_per_connection),
        received_ms_p99: rounded(load.received_ms_p99),
        storm_seconds: rounded(load.storm_seconds),
        full,
    })
}

impl Figures {
    fn check(&self, factor: f64) -> Result<()> {
        let most = [
            ("sustained_cores", self.sustained_cores, 0.2),
            ("sustained_rss_mib", self.sustained_rss_mib, 256.0),
            ("received_ms_p99", self.received_ms_p99, 50.0),
            ("kib_per_connection", self.kib_per_connection, 20.0),
            ("storm_seconds", self.storm_seconds, 30.0),
        ];
        for (name, value, bound) in most {
            ensure!(
                value <= bound * factor,
                "{name} is {value}, the bound is {bound} times {factor}"
            );
        }
        self.full.check(factor)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.full)?;
        if let (Some(plain), Some(over)) = (self.plain_rows_per_core_second, self.over_plain) {
            writeln!(
                out,
                "plain       {plain:.0}, the same rows as JSON through Python and pyarrow: {over:.0} times fewer"
            )?;
        }
        writeln!(
            out,
            "sustained   {} rows a second on {} cores, {} MiB, received after {} ms (99th percentile)",
            self.sustained_rows_per_second,
            self.sustained_cores,
            self.sustained_rss_mib,
            self.received_ms_p99
        )?;
        write!(
            out,
            "connections {} KiB each; all of them back after {} s",
            self.kib_per_connection, self.storm_seconds
        )
    }
}
