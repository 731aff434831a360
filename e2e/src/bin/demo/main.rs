//! The agent at work on this host, first with every cgroup as a workload, then with pods as a kubelet and
//! an API server tell of them. What the workloads consume is known, and a summary compares what the rows
//! say with what the workloads and the kernel's files say. All rows also go to an aggregator, and in the end
//! its tables are read back.

mod host;
mod ledger;
mod loads;
mod node;
mod pod_summary;
mod pods;
mod summary;
mod verdicts;

use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
    time::Duration,
};

use agent::{host::output, run};
use anyhow::{Context as _, Result};
use clap::Parser;
use e2e::{harness::say, process};
use ledger::Ledger;
use protocol::Row;

/// Windows of the demo are short, so that something is seen to happen.
const INTERVAL: Duration = Duration::from_secs(1);
/// The kernel releases a removed cgroup within about a second.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);
/// Pods can't be shown in less.
const LEAST_PODS: Duration = Duration::from_secs(6);

/// Shows podledger's agent at work on this host, then with pods.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Arguments {
    /// How long; a third of it is for pods
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    length: Duration,
    /// Keep the rows in this directory, as JSON lines in `rows.jsonl` and, of the pods, `pods.jsonl`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Arguments {
    /// Of the host's part and of the pods'.
    fn lengths(&self) -> (Duration, Duration) {
        let pods = (self.length / 3).max(LEAST_PODS);
        let host = self.length.saturating_sub(pods).max(self.length / 2);
        (host, pods)
    }
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
    let stop = run::stop_flag().context("handling signals")?;
    let (host_length, pods_length) = arguments.lengths();
    // A live table covers what stood there: everything is summed up at the end.
    let mut told = b"\nEvery cgroup of this host as a workload:\n".to_vec();
    let show = Show::new(arguments.data.as_deref(), "rows.jsonl")?;
    let mut ledger = Ledger::start(arguments.data.as_deref())?;
    let mut agrees = host::run(host_length, &stop, show, &mut ledger, &mut told)?;
    if stop.load(Ordering::Relaxed) {
        told.extend_from_slice(b"\nstopped before the part with pods\n");
        agrees &= ledger.finish(&mut told)?;
        print(&told)?;
        return Ok(agrees);
    }
    told.extend_from_slice(b"\nPods, as a kubelet and an API server tell of them:\n");
    let show = Show::new(arguments.data.as_deref(), "pods.jsonl")?;
    let pods = node::run(pods_length, &stop, show, &mut ledger, &mut told);
    if pods.is_err() {
        print(&told)?;
    }
    agrees &= pods?;
    told.extend_from_slice(b"\nWhat the aggregator's tables hold now:\n");
    agrees &= ledger.finish(&mut told)?;
    print(&told)?;
    Ok(agrees)
}

fn print(told: &[u8]) -> Result<()> {
    let mut output = io::stdout().lock();
    output
        .write_all(told)
        .and_then(|()| output.flush())
        .context("writing the summary")
}

/// Where the rows of a part go.
struct Show {
    table: output::Table,
    file: Option<BufWriter<File>>,
}

impl Show {
    fn new(directory: Option<&Path>, file: &str) -> Result<Self> {
        Ok(Self {
            table: output::Table::new(io::stdout().is_terminal()),
            file: directory
                .map(|directory| rows_file(directory, file))
                .transpose()?,
        })
    }

    fn window(&mut self, rows: &[Row]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            output::write_json(file, rows)?;
        }
        self.table.write(&mut io::stdout().lock(), rows)
    }
}

fn rows_file(directory: &Path, name: &str) -> Result<BufWriter<File>> {
    let path = directory.join(name);
    fs::create_dir_all(directory)
        .and_then(|()| File::create(&path))
        .map(BufWriter::new)
        .with_context(|| format!("writing {}", path.display()))
}
