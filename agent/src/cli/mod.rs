//! The commands and their options.

mod check;
mod run;

use std::{io::Write as _, path::PathBuf};

use agent::{
    host::state,
    kernel::{self, PIN_DIRECTORY},
};
use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Counts what every workload of this node really uses, in the kernel.
#[derive(Debug, Parser)]
#[command(name = "podledger-agent", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count, and write the rows of every window
    Run(run::Run),
    /// Try everything that the agent needs on this node, and tell the fix of what fails
    Check(check::Check),
    /// Detach the kernel programs and remove their counters and the state
    Uninstall(Places),
}

/// Where the agent keeps what outlives it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Places {
    /// Directory on a BPF file system for the kernel's maps and links
    #[arg(long, value_name = "DIR", default_value = PIN_DIRECTORY)]
    pins: PathBuf,
    /// Directory for the ledger's state
    #[arg(long, value_name = "DIR", default_value = state::STATE_DIRECTORY)]
    state: PathBuf,
}

/// What the rows are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table of workloads, redrawn in place on a terminal
    Table,
    /// One JSON object for each row, one a line
    Json,
}

impl Format {
    /// As the settings name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
        }
    }
}

impl Arguments {
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Check(check) => check.run(),
            Command::Uninstall(places) => uninstall(&places),
        }
    }
}

fn uninstall(places: &Places) -> Result<()> {
    let had_pins = kernel::uninstall(&places.pins)?;
    let had_state = state::remove(&places.state)?;
    say(match (had_pins, had_state) {
        (true, _) => "kernel programs detached, their counters and the state removed",
        (false, true) => "no kernel programs were pinned; the state is removed",
        (false, false) => "nothing was installed",
    });
    Ok(())
}

/// A line for the person at the terminal; rows go to standard output.
pub(crate) fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    drop(writeln!(std::io::stderr(), "podledger-agent: {line}"));
}
