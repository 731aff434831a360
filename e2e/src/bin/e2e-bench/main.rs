//! What the kernel programs and the agent cost, and that neither grows while cgroups come and go.
//! `kernel` and `agent` print one number for each published bound; `churn` asserts that nothing is kept.

mod agent;
mod aggregator;
mod churn;
mod kernel;
mod numbers;
mod ship;
mod tables;

use std::io::Write as _;

use anyhow::Result;
use clap::Parser;

/// Measures podledger on this machine; needs root.
#[derive(Parser)]
#[command(name = "e2e-bench")]
enum Command {
    /// Cost of the kernel programs, their maps and their reader
    Kernel(kernel::Args),
    /// Cost of the agent of a node, beside a plain collector
    Agent(agent::Args),
    /// Cost of the aggregator under the load of a large cluster, beside a plain one
    Aggregator(aggregator::Args),
    /// Cost of an agent's way to the aggregator
    Ship(ship::Args),
    /// A cluster's day in the tables: its size, merging it, and a question
    Tables(tables::Args),
    /// Makes and removes cgroups, and checks that nothing of them is kept
    Churn(churn::Args),
}

fn main() -> Result<()> {
    e2e::process::run_as_workload(
        &[kernel::WORKLOADS, agent::WORKLOADS, &[churn::WORKLOAD]].concat(),
    );
    match Command::parse() {
        Command::Kernel(args) => kernel::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Aggregator(args) => aggregator::run(&args),
        Command::Ship(args) => ship::run(&args),
        Command::Tables(args) => tables::run(&args),
        Command::Churn(args) => churn::run(&args),
    }
}

/// A line of the report.
fn print(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
