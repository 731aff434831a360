//! `e2e-bench aggregator`: what it costs to take the rows of a large cluster in and to commit them, beside
//! an aggregator of the plain kind.

mod clients;
mod connections;
mod full_speed;
mod plain;
mod sustained;

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::numbers::rounded;

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
    /// Length of a window
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// Windows of the sustained load
    #[arg(long, default_value_t = 3)]
    windows: u32,
    /// Fail where a number is beyond its bound by more than this factor, for example 1.25
    #[arg(long, value_name = "FACTOR")]
    check: Option<f64>,
    /// Measure one part, not all
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "check")]
    only: Option<Part>,
    /// The aggregator
    #[arg(long, value_name = "FILE", env = "PODLEDGER_AGGREGATOR")]
    aggregator: PathBuf,
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
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// Memory of connections and the storm, without rows
    Connections,
}

/// The figures.
#[derive(Serialize)]
struct Figures {
    rows_per_core_second: f64,
    wire_bytes_per_row: f64,
    stored_bytes_per_row: f64,
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
        Some(Part::Connections) => {
            connections::measure(args, &directory).and_then(|figures| show(args, &figures))
        }
        None => measure(args, &directory).and_then(|figures| {
            show(args, &figures)?;
            args.check.map_or(Ok(()), |factor| figures.check(factor))
        }),
    };
    std::fs::remove_dir_all(&directory)?;
    done
}

fn show(args: &Args, figures: &(impl Serialize + fmt::Display)) -> Result<()> {
    crate::print(&if args.json {
        serde_json::to_string(figures)?
    } else {
        figures.to_string()
    })
}

fn measure(args: &Args, directory: &std::path::Path) -> Result<Figures> {
    let full = full_speed::measure(args, directory).context("at full speed")?;
    let plain = match (&args.python, &args.plain) {
        (Some(python), Some(script)) => {
            Some(plain::measure(args, python, script, directory).context("the plain aggregator")?)
        }
        _ => None,
    };
    let load = sustained::measure(args, &args.aggregator, directory).context("sustained")?;
    Ok(Figures {
        rows_per_core_second: full.rows_per_core_second.round(),
        wire_bytes_per_row: rounded(full.wire_bytes_per_row),
        stored_bytes_per_row: rounded(full.stored_bytes_per_row),
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
    })
}

impl Figures {
    fn check(&self, factor: f64) -> Result<()> {
        let most = [
            ("wire_bytes_per_row", self.wire_bytes_per_row, 60.0),
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
        let least = 600_000.0 / factor;
        ensure!(
            self.rows_per_core_second >= least,
            "rows_per_core_second is {}, the bound is {least}",
            self.rows_per_core_second
        );
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "full speed  {:.0} rows a second and core, from bodies to committed Parquet",
            self.rows_per_core_second
        )?;
        if let (Some(plain), Some(over)) = (self.plain_rows_per_core_second, self.over_plain) {
            writeln!(
                out,
                "plain       {plain:.0}, the same rows as JSON through Python and pyarrow: {over:.0} times fewer"
            )?;
        }
        writeln!(
            out,
            "size        {} bytes a pod-row on the wire, {} in the files",
            self.wire_bytes_per_row, self.stored_bytes_per_row
        )?;
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
