//! `cargo xtask test`: everything that must hold, in order, with one table at the end.

mod steps;
mod summary;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use summary::Row;

/// What to leave out, and how strict to be.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the guests
    #[arg(long)]
    fast: bool,
    /// A skipped test is a failure (also with CI=true in the environment)
    #[arg(long)]
    no_skips: bool,
}

/// Runs every step, whatever the steps before it did, so that one run shows all that is wrong.
pub(crate) fn run(args: &Args) -> ExitCode {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let strict = args.no_skips || in_ci;
    let chosen = steps::ALL
        .iter()
        .filter(|step| !(args.fast && step.is_slow));
    let rows: Vec<Row> = chosen.map(|step| row(step, strict)).collect();
    summary::print(&rows)
}

fn row(step: &steps::Step, strict: bool) -> Row {
    println!("\n== {}", step.name);
    let start = Instant::now();
    let result: Result<_> = (step.run)(strict);
    let row = Row::new(step.name, start.elapsed(), result, strict);
    for problem in row.problems() {
        println!("{problem}");
    }
    println!(
        "== {} {} after {:.1} s",
        row.name,
        row.result(),
        row.time.as_secs_f64()
    );
    row
}
