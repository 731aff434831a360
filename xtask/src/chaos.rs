//! `cargo xtask chaos`: agents, aggregators, the network between them and the store, in a world that a
//! seed makes and in which everything fails. Ends with `N seeds, C crashes, L lost, D duplicated`.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Error, Result};

use crate::test_binaries;

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
    #[arg(long)]
    trace: bool,
}

/// Builds the simulation and becomes it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let program = test_binaries::release("e2e", "chaos")?;
    let mut command = Command::new(&program);
    command.args(["--seeds", &args.seeds.to_string()]);
    command.args(["--first-seed", &args.first_seed.to_string()]);
    command.args(args.trace.then_some("--trace"));
    let error = command.exec();
    Err(Error::new(error)).with_context(|| format!("cannot start {}", program.display()))
}
