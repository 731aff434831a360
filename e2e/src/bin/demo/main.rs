//! The agent at work on this host, with a few workloads whose consumption is known, and a summary
//! that compares what the rows say with what the workloads and the kernel's files say.

mod loads;
mod summary;

use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use agent::{
    cgroups,
    host::{self, Host, Settings, output},
    kernel::Options,
};
use anyhow::{Context as _, Result};
use clap::Parser;
use e2e::{harness::say, process};
use protocol::Row;

use crate::{loads::Loads, summary::Summary};

/// Windows of the demo are short, so that something is seen to happen.
const INTERVAL: Duration = Duration::from_secs(1);
/// The kernel releases a removed cgroup within about a second.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);

/// Shows podledger's agent at work on this host.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Arguments {
    /// How long
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    length: Duration,
    /// Keep the rows in this directory, as JSON lines in `rows.jsonl`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    process::run_as_workload(loads::WORKLOADS);
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that the rows say agrees with the truth.
fn run(arguments: &Arguments) -> Result<bool> {
    let root = cgroups::find_root().context("no cgroup2 file system is mounted")?;
    let mut kernel = Options::new(root);
    // Nothing outlives the demo.
    kernel.pins = None;
    let mut host = Host::start(
        Settings {
            kernel,
            interval: INTERVAL,
            state: None,
        },
        say,
    )?;
    let stop = host::stop_flag().context("handling signals")?;
    let mut rows_file = arguments.data.as_deref().map(rows_file).transpose()?;
    let mut table = output::Table::new(io::stdout().is_terminal());
    let mut summary = Summary::default();
    let mut show = |rows: &[Row], summary: &mut Summary| {
        summary.add(rows);
        if let Some(file) = &mut rows_file {
            output::write_json(file, rows)?;
        }
        table.write(&mut io::stdout().lock(), rows)
    };
    let loads = Loads::start()?;
    let deadline = Instant::now() + arguments.length;
    let shown = host.run(Some(deadline), &stop, |rows| show(rows, &mut summary));
    // Whatever went wrong, no workload of ours stays behind.
    let truth = loads.finish()?;
    shown?;
    let closing = Instant::now() + CLOSING_PATIENCE;
    while !summary.is_complete(&truth) && Instant::now() < closing && !stop.load(Ordering::Relaxed)
    {
        let next = Some(Instant::now() + INTERVAL);
        host.run(next, &stop, |rows| show(rows, &mut summary))?;
    }
    summary
        .print(&mut io::stdout().lock(), &truth, &host)
        .context("writing the summary")
}

fn rows_file(directory: &std::path::Path) -> Result<BufWriter<File>> {
    let path = directory.join("rows.jsonl");
    fs::create_dir_all(directory)
        .and_then(|()| File::create(&path))
        .map(BufWriter::new)
        .with_context(|| format!("writing {}", path.display()))
}
