//! `cargo xtask`: one command for each thing one does with this repository.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks on the terminal"
)]

mod accuracy;
mod bench;
mod build_ebpf;
mod chaos;
mod demo;
mod fuzz;
mod kernels;
mod libtest;
mod paths;
mod process;
mod setup;
mod test;
mod test_binaries;
mod tidy;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, test and demo commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring in the tools that are missing; a second run does nothing
    Setup,
    /// Build the kernel programs to target/bpf/podledger.bpf.o
    BuildEbpf(build_ebpf::Args),
    /// Run the kernel tests here and in guests with other kernels
    Kernels(kernels::Args),
    /// Count this machine's traffic and CPU with the agent, no cluster needed
    Demo(demo::Args),
    /// Measure, for example `bench kernel`: the cost of the kernel programs
    Bench(bench::Args),
    /// Feed the parsers of foreign bytes with made-up ones
    Fuzz(fuzz::Args),
    /// Simulate agents and aggregators in a world where everything fails, and count what is lost
    Chaos(chaos::Args),
    /// Run everything that must hold before a change goes in
    Test(test::Args),
    /// Measure again the deviations that docs/accuracy.md publishes
    Accuracy,
    /// Check the rules of this repository that no compiler checks
    Tidy,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup => setup::all(),
        Command::BuildEbpf(args) => build_ebpf::run(&args),
        Command::Kernels(args) => kernels::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Test(args) => return test::run(&args),
        Command::Accuracy => accuracy::run(),
        Command::Tidy => tidy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
