//! `e2e-bench aggregator`: what it costs to take the rows of a large cluster in and to commit them, beside
//! an aggregator of the plain kind.

mod clients;
mod connections;
mod enrichment;
mod full_speed;
mod plain;
mod sustained;

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::numbers::rounded;
use enrichment::Enrichment;
use full_speed::FullSpeed;
use sustained::Sustained;

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
    /// Let pods have annotations of a network plugin, which no two of them share
    #[arg(long)]
    plugin: bool,
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
    /// Memory of connections and the storm, without rows
    Connections,
    /// Rows with and without their pods' metadata, and the memory of that
    Enrichment,
    /// Memory of the objects alone
    #[value(hide = true)]
    EnrichmentObjects,
    /// Memory of whole objects alone
    #[value(hide = true)]
    EnrichmentReflector,
    /// The whole load for some windows
    Sustained,
}

/// The figures.
#[derive(Serialize)]
struct Figures {
    #[serde(flatten)]
    full: FullSpeed,
    plain_rows_per_core_second: Option<f64>,
    over_plain: Option<f64>,
    #[serde(flatten)]
    load: Sustained,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let directory = std::env::temp_dir().join(format!("podledger-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let done = match args.only {
        Some(Part::FullSpeed) => full_speed::measure(args, &directory)
            .and_then(|full| report(args, &full, FullSpeed::check)),
        Some(Part::Connections) => connections::measure(args, &directory)
            .and_then(|figures| report(args, &figures, |_, _| Ok(()))),
        Some(Part::Enrichment) => enrichment::measure(args, &directory)
            .and_then(|figures| report(args, &figures, Enrichment::check)),
        Some(Part::EnrichmentObjects) => {
            enrichment::objects(args).and_then(|figures| report(args, &figures, |_, _| Ok(())))
        }
        Some(Part::EnrichmentReflector) => {
            enrichment::reflector(args).and_then(|figures| report(args, &figures, |_, _| Ok(())))
        }
        Some(Part::Sustained) => sustained::measure(args, &directory)
            .and_then(|load| report(args, &load, Sustained::check)),
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
    let load = sustained::measure(args, directory).context("sustained")?;
    Ok(Figures {
        plain_rows_per_core_second: plain.map(f64::round),
        over_plain: plain.map(|plain| rounded(full.rows_per_core_second / plain)),
        load,
        full,
    })
}

impl Figures {
    fn check(&self, factor: f64) -> Result<()> {
        self.load.check(factor)?;
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
        write!(out, "{}", self.load)
    }
}
