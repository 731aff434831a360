//! What was kept in the first tenth of the time, in the last, and in the end.

use std::{
    collections::{BTreeMap, HashSet},
    fmt, fs,
    time::Duration,
};

use agent::kernel::Snapshot;
use agent_common::loss::{LOSS_LIFECYCLE_RING, LOSS_NAMES, LOSSES};
use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::{
    kernel::rss_bytes,
    numbers::{median, mib, rounded},
};

/// Kept at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Sample {
    cpu_accounts: f64,
    network_accounts: f64,
    /// Ids with an account whose cgroup is not in the hierarchy.
    without_cgroup: f64,
    /// Removed cgroups that something still refers to, on the whole host.
    dying_cgroups: f64,
    reader_rss_mib: f64,
    /// The kernel's memory that it can't give back, on the whole host.
    kernel_slab_mib: f64,
    #[serde(skip)]
    losses: [u64; LOSSES],
}

impl Sample {
    pub(super) fn take(snapshot: &Snapshot, without_cgroup: usize) -> Result<Self> {
        Ok(Self {
            without_cgroup: without_cgroup as f64,
            cpu_accounts: snapshot.cpu.len() as f64,
            network_accounts: snapshot.network.len() as f64,
            dying_cgroups: dying_cgroups()?,
            reader_rss_mib: mib(rss_bytes(std::process::id())?),
            kernel_slab_mib: slab_mib()?,
            losses: snapshot.losses,
        })
    }

    fn middle(samples: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| rounded(median(samples.iter().map(field).collect()));
        Self {
            cpu_accounts: of(|sample| sample.cpu_accounts),
            network_accounts: of(|sample| sample.network_accounts),
            without_cgroup: of(|sample| sample.without_cgroup),
            dying_cgroups: of(|sample| sample.dying_cgroups),
            reader_rss_mib: of(|sample| sample.reader_rss_mib),
            kernel_slab_mib: of(|sample| sample.kernel_slab_mib),
            losses: samples.last().map_or([0; LOSSES], |sample| sample.losses),
        }
    }

    fn rows(&self) -> [(&'static str, f64); 6] {
        [
            ("CPU accounts", self.cpu_accounts),
            ("network accounts", self.network_accounts),
            ("accounts without a cgroup", self.without_cgroup),
            ("dying cgroups of the host", self.dying_cgroups),
            ("resident memory of the reader, MiB", self.reader_rss_mib),
            ("kernel slab of the host, MiB", self.kernel_slab_mib),
        ]
    }
}

/// The whole run.
#[derive(Serialize)]
pub(super) struct Report {
    cgroups: u64,
    seconds: f64,
    cgroups_per_second: f64,
    before: Sample,
    first_tenth: Sample,
    last_tenth: Sample,
    after: Sample,
    /// Events and accounts that found no room, by what was full.
    losses: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(super) fn new(
        cgroups: u64,
        took: Duration,
        samples: &[Sample],
        before: &Sample,
        after: &Sample,
    ) -> Self {
        let tenth = samples.len().div_ceil(10);
        let seconds = took.as_secs_f64();
        Self {
            cgroups,
            seconds: rounded(seconds),
            cgroups_per_second: rounded(cgroups as f64 / seconds),
            before: Sample::middle(&[*before]),
            first_tenth: Sample::middle(&samples[..tenth.min(samples.len())]),
            last_tenth: Sample::middle(&samples[samples.len().saturating_sub(tenth)..]),
            after: Sample::middle(&[*after]),
            losses: (0..LOSSES)
                .map(|loss| (LOSS_NAMES[loss], after.losses[loss] - before.losses[loss]))
                .filter(|(_, lost)| *lost > 0)
                .collect(),
        }
    }

    /// Nothing grew, nothing is left, nothing was lost.
    pub(super) fn check(&self) -> Result<()> {
        /// Accounts and memory sway with the moment of the sample.
        const ACCOUNTS_SLACK: f64 = 1_000.0;
        const RSS_SLACK_MIB: f64 = 1.0;
        /// Others make and remove cgroups here too.
        const LEFT_SLACK: f64 = 16.0;
        let (first, last) = (&self.first_tenth, &self.last_tenth);
        let steady = |what, first: f64, last: f64, slack: f64| {
            ensure!(last <= first + slack, "{what} grew from {first} to {last}");
            Ok(())
        };
        steady(
            "CPU accounts",
            first.cpu_accounts,
            last.cpu_accounts,
            ACCOUNTS_SLACK,
        )?;
        steady(
            "network accounts",
            first.network_accounts,
            last.network_accounts,
            ACCOUNTS_SLACK,
        )?;
        steady(
            "dying cgroups",
            first.dying_cgroups,
            last.dying_cgroups,
            ACCOUNTS_SLACK,
        )?;
        steady(
            "resident memory",
            first.reader_rss_mib,
            last.reader_rss_mib,
            RSS_SLACK_MIB,
        )?;
        let (before, after) = (&self.before, &self.after);
        steady(
            "accounts without a cgroup",
            before.without_cgroup,
            after.without_cgroup,
            LEFT_SLACK,
        )?;
        // A full ring of births and ends is made up for; a full table is not.
        let is_told = |name: &str| name == LOSS_NAMES[LOSS_LIFECYCLE_RING as usize];
        let others = self.losses.keys().find(|name| !is_told(name));
        ensure!(others.is_none(), "lost: {:?}", self.losses);
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} cgroups in {:.0} s, {:.0} a second; lost: {:?}",
            self.cgroups, self.seconds, self.cgroups_per_second, self.losses
        )?;
        writeln!(
            out,
            "{:<36} {:>10} {:>10} {:>10} {:>10}",
            "", "before", "first 1/10", "last 1/10", "after"
        )?;
        let columns = [
            &self.before,
            &self.first_tenth,
            &self.last_tenth,
            &self.after,
        ]
        .map(Sample::rows);
        for row in 0..columns[0].len() {
            write!(out, "{:<36}", columns[0][row].0)?;
            for column in &columns {
                write!(out, " {:>10}", column[row].1)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The ids with an account whose cgroup is not in the hierarchy: removed, and not released yet.
pub(super) fn without_cgroup(snapshot: &Snapshot) -> Result<HashSet<u64>> {
    let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
    let cgroups = agent::cgroups::list(&root)?;
    let known: HashSet<u64> = cgroups.into_iter().map(|cgroup| cgroup.id).collect();
    let ids = snapshot.cpu.keys().chain(snapshot.network.keys());
    Ok(ids.copied().filter(|id| !known.contains(id)).collect())
}

fn dying_cgroups() -> Result<f64> {
    let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
    number(
        &fs::read_to_string(root.join("cgroup.stat"))?,
        "nr_dying_descendants ",
    )
}

fn slab_mib() -> Result<f64> {
    Ok(number(&fs::read_to_string("/proc/meminfo")?, "SUnreclaim:")? / 1024.0)
}

/// The number behind `name` at the start of a line.
fn number(text: &str, name: &str) -> Result<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("the kernel tells no {name}"))
}
