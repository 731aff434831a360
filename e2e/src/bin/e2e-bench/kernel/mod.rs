//! `e2e-bench kernel`: every published cost, measured beside an empty program on the same hook.

mod agent_process;
mod attached;
mod bounds;
mod comparators;
mod loopback;
mod maps;
mod prefixes;
mod read_cost;
mod report;
mod scheduler;
mod statistics;
mod test_runs;
mod tools;

use agent::kernel::{Options, Source};
use anyhow::{Context as _, Result};
use e2e::process::Workload;

pub(crate) use agent_process::rss_bytes;
pub(crate) use statistics::Statistics;

pub(crate) const WORKLOADS: &[Workload] = &[
    attached::WORKLOAD,
    scheduler::WORKLOAD,
    loopback::WORKLOAD,
    agent_process::ACCOUNTS,
    agent_process::STAND_IN,
];

/// Cgroups of a large node.
const CGROUPS: u64 = 500;

/// What to print.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    /// Fail where a number is beyond its bound by more than this factor, for example 1.25
    #[arg(long, value_name = "FACTOR")]
    check: Option<f64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let report = report::measure()?;
    crate::print(&if args.json {
        serde_json::to_string(&report.figures)?
    } else {
        report.to_string()
    })?;
    args.check
        .map_or(Ok(()), |factor| bounds::check(&report.figures, factor))
}

/// Options without pins, so that a running agent and the benchmark don't meet.
fn options(sources: &[Source]) -> Result<Options> {
    let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
    let mut options = Options::new(root);
    options.pins = None;
    options.sources = sources.to_vec();
    Ok(options)
}
