//! `cargo xtask chaos`: agents, aggregators, the network between them and the store, in a world that a
//! seed makes and in which everything fails, or (`--real`) as processes that are killed. The simulation
//! ends with `N seeds, C crashes, L lost, D duplicated`.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Error, Result};

use crate::{build_ebpf, paths, process, setup, test_binaries};

/// How much, and from where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many worlds
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    seeds: u64,
    /// The seed of the first one
    #[arg(long, default_value_t = 1, value_name = "K")]
    first_seed: u64,
    /// Tell everything that happens, on standard error
    #[arg(long, conflicts_with = "real")]
    trace: bool,
    /// Instead real processes over loopback and a real S3 protocol; needs root
    #[arg(long)]
    real: bool,
    /// How long real processes are killed
    #[arg(
        long = "for",
        default_value = "1m",
        value_name = "TIME",
        requires = "real"
    )]
    length: String,
    /// Keep the tables of real processes, and what these said, in this directory
    #[arg(long, value_name = "DIR", requires = "real")]
    data: Option<PathBuf>,
}

/// Builds what is asked for and becomes it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = match args.real {
        true => real()?,
        false => simulated(args.seeds, args.first_seed)?,
    };
    if args.real {
        command.args(["--for", &args.length]);
        command.args(["--seed", &args.first_seed.to_string()]);
    }
    if let Some(data) = &args.data {
        command.arg("--data").arg(data);
    }
    command.args(args.trace.then_some("--trace"));
    let error = command.exec();
    Err(Error::new(error))
        .with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// Simulates the first worlds.
pub(crate) fn simulate(seeds: u64) -> Result<()> {
    process::run(&mut simulated(seeds, 1)?)
}

/// Kills real processes for `length`.
pub(crate) fn kill(length: &str) -> Result<()> {
    process::run(real()?.args(["--for", length]))
}

/// Real processes: agents, aggregators, the store, and the other readers of the tables.
fn real() -> Result<Command> {
    build_ebpf::build(false)?;
    setup::for_guests()?;
    setup::for_readers()?;
    let mut command = Command::new(test_binaries::release("chaos-real")?);
    command
        .env(
            "PODLEDGER_AGENT",
            test_binaries::release("podledger-agent")?,
        )
        .env(
            "PODLEDGER_AGGREGATOR",
            test_binaries::release("podledger-aggregator")?,
        )
        .env("PODLEDGER_PYTHON", setup::python::READERS.program()?)
        .env(
            "PODLEDGER_READERS",
            paths::root()?.join("e2e/readers/read_tables.py"),
        );
    Ok(command)
}

fn simulated(seeds: u64, first: u64) -> Result<Command> {
    let mut command = Command::new(test_binaries::release("chaos")?);
    command.args(["--seeds", &seeds.to_string()]);
    command.args(["--first-seed", &first.to_string()]);
    Ok(command)
}
