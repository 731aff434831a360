//! `cargo xtask bench`: the measurements of `e2e`, in release profile.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Error, Result};

use crate::{build_ebpf, paths, setup, test_binaries};

/// The measurement that runs the collector of old beside the agent.
const COMPARISON: &str = "agent";
/// The one that runs the aggregator, and the plain one beside it.
const AGGREGATOR: &str = "aggregator";
/// The one that sends to an aggregator.
const SHIP: &str = "ship";
/// The one that makes a cluster's day and asks DuckDB.
const TABLES: &str = "tables";

/// Which measurement.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name, for example `kernel`
    name: String,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    /// What else the measurement takes, for example `--check 1` or `--cgroups 1000000`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    more: Vec<String>,
}

/// Builds what is needed and becomes the measuring program.
pub(crate) fn run(args: &Args) -> Result<()> {
    build_ebpf::build(false)?;
    // The agent itself is measured too.
    test_binaries::release("podledger-agent")?;
    let bench = test_binaries::release("e2e-bench")?;
    let mut command = Command::new(&bench);
    command.arg(&args.name).args(args.json.then_some("--json"));
    command.args(&args.more);
    if [AGGREGATOR, SHIP, TABLES].contains(&args.name.as_str()) {
        let aggregator = test_binaries::release("podledger-aggregator")?;
        command.env("PODLEDGER_AGGREGATOR", aggregator);
    }
    if args.name == AGGREGATOR {
        setup::for_plain_aggregator()?;
        command
            .env(
                "PODLEDGER_PYTHON",
                setup::python::PLAIN_AGGREGATOR.program()?,
            )
            .env(
                "PODLEDGER_PLAIN_AGGREGATOR",
                paths::root()?.join("xtask/benches/plain_aggregator.py"),
            );
    }
    if args.name == TABLES {
        setup::for_readers()?;
        command.env("PODLEDGER_READERS", setup::python::READERS.program()?);
    }
    if args.name == COMPARISON {
        setup::for_comparison()?;
        command
            .env("PODLEDGER_PYTHON", setup::python::COLLECTOR.program()?)
            .env(
                "PODLEDGER_COLLECTOR",
                paths::root()?.join("xtask/benches/collector.py"),
            );
    }
    let error = command.exec();
    Err(Error::new(error)).with_context(|| format!("cannot start {}", bench.display()))
}
