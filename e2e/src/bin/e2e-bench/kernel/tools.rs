//! Installed scheduler tools, measured as they are: started, found among the loaded programs, and
//! charged by the run statistics of the program they hang on the switch of tasks.

use std::{
    collections::HashSet,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::programs::{ProgramInfo, loaded_programs};

use super::statistics::{Runs, ns_each};
use crate::numbers::median;

/// Name, program and arguments of each. The two of libbpf-tools are BCC's without its compiler;
/// Debian installs them without a prefix.
const TOOLS: [(&str, &str, &[&str]); 3] = [
    ("cpudist", "cpudist", &["600"]),
    ("runqlat", "runqlat", &["600"]),
    (
        "bpftrace",
        "bpftrace",
        &[
            "-e",
            "tracepoint:sched:sched_switch { @start[args->next_pid] = nsecs; \
             @ns = hist(nsecs - @start[args->prev_pid]); }",
        ],
    ),
];
const ROUNDS: usize = 7;
/// Loading takes some tools seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nanoseconds over an empty program, of every tool; the error tells that it is not installed.
pub(super) fn measure(
    empty: u32,
    mut work: impl FnMut() -> Result<()>,
) -> Vec<(&'static str, Result<f64>)> {
    TOOLS
        .iter()
        .map(|(name, program, arguments)| {
            (*name, measure_one(program, arguments, empty, &mut work))
        })
        .collect()
}

fn measure_one(
    program: &str,
    arguments: &[&str],
    empty: u32,
    work: &mut impl FnMut() -> Result<()>,
) -> Result<f64> {
    let known = program_ids();
    let mut tool = Tool::start(program, arguments)?;
    tool.wait_until_attached(&known, work)?;
    let id = busiest_new(&known, work)?;
    let mut differences = Vec::new();
    for _ in 0..ROUNDS {
        let each = ns_each([id, empty], &mut *work)?;
        differences.push(each[0] - each[1]);
    }
    Ok(median(differences))
}

/// A running tool; ended when dropped.
struct Tool(Child);

impl Tool {
    fn start(program: &str, arguments: &[&str]) -> Result<Self> {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .context("not installed")
    }

    fn wait_until_attached(
        &mut self,
        known: &HashSet<u32>,
        work: &mut impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                bail!("installed, but ended with {status}; bpftrace needs tracefs");
            }
            work()?;
            if new_programs(known).iter().any(|info| info.run_count() > 0) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(200));
        }
        bail!("installed, but its program never ran")
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        e2e::process::kill(self.0.id());
        drop(self.0.wait());
    }
}

fn program_ids() -> HashSet<u32> {
    loaded_programs()
        .filter_map(Result::ok)
        .map(|info| info.id())
        .collect()
}

fn new_programs(known: &HashSet<u32>) -> Vec<ProgramInfo> {
    loaded_programs()
        .filter_map(Result::ok)
        .filter(|info| !known.contains(&info.id()))
        .collect()
}

/// Tools hang on wake-ups as well; the program of the switch is the one with the most time.
fn busiest_new(known: &HashSet<u32>, work: &mut impl FnMut() -> Result<()>) -> Result<u32> {
    let ids: Vec<u32> = new_programs(known).iter().map(ProgramInfo::id).collect();
    let before = ids
        .iter()
        .map(|id| Runs::of(*id).map(|runs| runs.ns))
        .collect::<Result<Vec<_>>>()?;
    work()?;
    let mut busiest = None;
    for (id, before) in ids.into_iter().zip(before) {
        let ns = Runs::of(id)?.ns - before;
        busiest = busiest.max(Some((ns, id)));
    }
    busiest.map(|(_, id)| id).context("its program is gone")
}
