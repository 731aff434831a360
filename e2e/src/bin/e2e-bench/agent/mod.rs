//! `e2e-bench agent`: what the agent of a node costs, with all its sources on and real cgroups, beside a
//! plain collector that does the kubelet's part of the same work.

mod bounds;
mod churn;
mod measured;
mod process;
mod stage;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use e2e::process::Workload;

pub(crate) const WORKLOADS: &[Workload] = &[stage::VISITOR, churn::BLINK];

/// What to print.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    /// Pods of two containers
    #[arg(long, default_value_t = 110, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pods: u32,
    /// Windows to measure, after the first ones
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    windows: u32,
    /// Length of a window
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// Instead make and delete a hundred pods a second for this long, and check that nothing is kept
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    churn: Option<Duration>,
    /// Fail where a number is beyond its bound by more than this factor, for example 1.25
    #[arg(long, value_name = "FACTOR")]
    check: Option<f64>,
    /// The Python that runs the plain collector
    #[arg(
        long,
        value_name = "PROGRAM",
        env = "PODLEDGER_PYTHON",
        requires = "collector"
    )]
    python: Option<PathBuf>,
    /// The plain collector to compare with
    #[arg(
        long,
        value_name = "SCRIPT",
        env = "PODLEDGER_COLLECTOR",
        requires = "python"
    )]
    collector: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(length) = args.churn {
        return churn::run(length, args.json);
    }
    let figures = measured::measure(args).context("measuring the agent")?;
    crate::print(&if args.json {
        serde_json::to_string(&figures)?
    } else {
        figures.to_string()
    })?;
    args.check
        .map_or(Ok(()), |factor| bounds::check(&figures, factor))
}
