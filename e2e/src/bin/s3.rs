//! Serves S3 by hand, until its input ends. What it prints is the environment that a client needs;
//! faults are set by `PUT /_faults`.

#![expect(
    clippy::print_stdout,
    reason = "the environment is for whoever started it"
)]

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use e2e::harness::say;
use e2e::store::{BUCKET, S3Server};

/// An S3 server for tests, with faults on demand.
#[derive(Debug, Parser)]
#[command(name = "podledger-s3")]
struct Arguments {
    /// Where objects are kept
    #[arg(long)]
    dir: PathBuf,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let server = S3Server::start_at(&arguments.dir, arguments.listen)?;
    for (name, value) in server.environment() {
        println!("{name}={value}");
    }
    println!(
        "# bucket s3://{BUCKET}, faults at {}/_faults",
        server.endpoint()
    );
    println!("# ends when its input does");
    // Whoever starts it holds the other end, so that it never outlives them.
    let input = std::io::stdin().lock();
    let ended = input.bytes().find(Result::is_err);
    ended.map_or(Ok(()), |error| error.map(drop).context("reading the input"))
}
