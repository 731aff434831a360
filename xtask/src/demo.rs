//! `cargo xtask demo`: agent and aggregator on this machine, with no cluster and a few workloads of its own: first every
//! cgroup of the host, then pods, as a kubelet and an API server of the tests tell of them.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Error, Result};

use crate::{build_ebpf, test_binaries};

/// What the demo takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long to count; a third of it, at least 6 s, is for pods
    #[arg(long = "for", default_value = "30s", value_name = "TIME")]
    duration: String,
    /// Where to write the rows: `rows.jsonl` of the host, `pods.jsonl` of the pods, and the tables
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Builds what is needed and becomes the demo.
pub(crate) fn run(args: &Args) -> Result<()> {
    build_ebpf::build(false)?;
    let aggregator = test_binaries::release("podledger-aggregator")?;
    let agent = test_binaries::release("demo")?;
    let mut command = Command::new(&agent);
    command.env("PODLEDGER_AGGREGATOR", aggregator);
    command.args(["--for", &args.duration]);
    if let Some(data) = &args.data {
        command.arg("--data").arg(data);
    }
    let error = command.exec();
    Err(Error::new(error)).with_context(|| format!("cannot start {}", agent.display()))
}
