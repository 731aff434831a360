//! `e2e-bench churn`: a hundred thousand short-lived cgroups, or a million, each with a task, CPU
//! time and a socket, while an agent's reader runs. What is kept must not grow with their number.

mod report;
mod worker;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use agent::kernel::{CgroupEvent, CgroupEventKind, Kernel, Options};
use anyhow::{Context as _, Result};
use e2e::cgroup::TestCgroup;

pub(crate) use worker::WORKLOAD;

use self::{
    report::{Report, Sample},
    worker::Workers,
};

/// Processes that make and remove cgroups at once.
const WORKERS: u64 = 2;
/// How often an agent would read here: often, for more samples.
const READ_EVERY: Duration = Duration::from_millis(250);
/// Samples until an account without a cgroup is taken although no release was told.
const ORPHAN_PATIENCE: u32 = 20;
/// The kernel releases a cgroup about a second after its removal.
const LAST_RELEASES: Duration = Duration::from_secs(20);

/// How much.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cgroups to make and remove
    #[arg(long, default_value_t = 100_000)]
    cgroups: u64,
    /// At most so many a second: beyond what two CPUs can do, the workers take the reader's time
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let report = churn(args.cgroups, args.rate)?;
    crate::print(&if args.json {
        serde_json::to_string(&report)?
    } else {
        report.to_string()
    })?;
    report.check()
}

fn churn(cgroups: u64, rate: u32) -> Result<Report> {
    let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
    let mut options = Options::new(root);
    options.pins = None;
    let parents = (0..WORKERS)
        .map(|number| TestCgroup::new(&format!("churn-{number}")))
        .collect::<Result<Vec<_>>>()?;
    let mut reader = Reader {
        kernel: Kernel::start(&options)?,
        released: 0,
        orphans: HashMap::new(),
    };
    let before = reader.sample()?;
    let start = Instant::now();
    let rate_each = f64::from(rate) / WORKERS as f64;
    let workers = Workers::start(&parents, cgroups / WORKERS, rate_each)?;
    let total = cgroups / WORKERS * WORKERS;
    let mut samples = Vec::new();
    while reader.released < total && workers.are_running() {
        reader.read_until(Instant::now() + READ_EVERY)?;
        samples.push(reader.sample()?);
    }
    let took = start.elapsed();
    workers.finish()?;
    let deadline = Instant::now() + LAST_RELEASES;
    while (reader.released < total || !reader.orphans.is_empty()) && Instant::now() < deadline {
        reader.read_until(Instant::now() + READ_EVERY)?;
        reader.sample()?;
    }
    let after = reader.sample()?;
    drop(parents);
    Ok(Report::new(total, took, &samples, &before, &after))
}

/// What an agent does: takes the account of every cgroup that the kernel released, and of those whose
/// release it was not told because the ring was full.
struct Reader {
    kernel: Kernel,
    released: u64,
    /// In how many samples on end an account had no cgroup.
    orphans: HashMap<u64, u32>,
}

impl Reader {
    fn read_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            self.kernel.wait(10)?;
            self.take_released()?;
        }
        Ok(())
    }

    fn take_released(&mut self) -> Result<()> {
        self.kernel.oom_events(drop);
        let mut released = Vec::new();
        self.kernel
            .cgroup_events(|event| released.extend(event.ok().filter(is_release)));
        for event in released {
            // Those of others on this machine too, as an agent would; they don't count.
            self.kernel.account(event.cgroup_id)?;
            self.kernel.remove_account(event.cgroup_id)?;
            self.released += u64::from(is_ours(&event));
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<Sample> {
        let snapshot = self.kernel.read()?;
        let orphans = report::without_cgroup(&snapshot)?;
        let sample = Sample::take(&snapshot, orphans.len())?;
        let earlier = std::mem::take(&mut self.orphans);
        for id in orphans {
            let samples = earlier.get(&id).copied().unwrap_or_default() + 1;
            if samples < ORPHAN_PATIENCE {
                self.orphans.insert(id, samples);
            } else {
                self.kernel.remove_account(id)?;
            }
        }
        Ok(sample)
    }
}

fn is_release(event: &CgroupEvent) -> bool {
    event.kind == CgroupEventKind::Released
}

/// A child of one of the workers' cgroups.
fn is_ours(event: &CgroupEvent) -> bool {
    let parent = event.path.rsplit_once('/').map_or("", |(parent, _)| parent);
    parent.contains("-churn-")
}
