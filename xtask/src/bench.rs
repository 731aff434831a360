//! `cargo xtask bench`: the measurements of `e2e`, in release profile.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Error, Result};

use crate::{build_ebpf, test_binaries};

/// Which measurement.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name, for example `kernel`
    name: String,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

/// Builds what is needed and becomes the measuring program.
pub(crate) fn run(args: &Args) -> Result<()> {
    build_ebpf::build(false)?;
    let bench = test_binaries::release("e2e", "e2e-bench")?;
    let mut command = Command::new(&bench);
    command.arg(&args.name).args(args.json.then_some("--json"));
    let error = command.exec();
    Err(Error::new(error)).with_context(|| format!("cannot start {}", bench.display()))
}
