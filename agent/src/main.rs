//! `podledger-agent`: the command line. Everything it does is in the library.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
