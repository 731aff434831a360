//! One aggregator, then four, then one, behind one name and under the load of many agents: one is killed,
//! and all are replaced one after the other, as an update does. How evenly the agents spread, what four
//! writers cost each other, and that nothing is lost or comes twice.

mod agents;
mod fleet;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::print;
use agents::Agents;
use fleet::{Figures, Fleet};

const MANY: usize = 4;
/// In each state of the fleet.
const STEADY: Duration = Duration::from_secs(8);
/// Until a cluster has noticed that a pod is gone.
const UNNOTICED: Duration = Duration::from_secs(2);
/// Until the agents are where they belong.
const SETTLE_PATIENCE: Duration = Duration::from_secs(40);
/// Longer than from one look-up to the next, and the move after it.
const SETTLED: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Whether every row is in the tables once.
pub(crate) fn judge(aggregator: &Path, directory: &Path) -> Result<bool> {
    let mut fleet = Fleet::start(aggregator, directory)?;
    let agents = Agents::start(&fleet)?;
    settle(&fleet, &agents)?;
    steady("1 aggregator", &mut fleet)?;
    for _ in 1..MANY {
        fleet.grow()?;
    }
    let shares = settle(&fleet, &agents)?;
    tell_shares(&shares)?;
    steady("4 aggregators", &mut fleet)?;
    fleet.kill()?;
    thread::sleep(UNNOTICED);
    fleet.notice();
    fleet.grow()?;
    let left = settle(&fleet, &agents)?;
    tell_shares(&left)?;
    for _ in 0..MANY {
        fleet.grow()?;
        fleet.retire()?;
    }
    settle(&fleet, &agents)?;
    while fleet.len() > 1 {
        fleet.retire()?;
    }
    settle(&fleet, &agents)?;
    steady("1 aggregator again", &mut fleet)?;
    let moves = agents.moves();
    let batches = agents.finish()?;
    fleet.retire()?;
    print(&format!(
        "several aggregators: {batches} batches of {} agents, {moves} moves",
        agents::MANY
    ))?;
    let mut verify = Command::new(aggregator);
    verify
        .args(["verify", &fleet.url(), "--settle", "0s"])
        .envs(fleet.store.environment());
    Ok(verify.status().context("starting verify")?.success())
}

/// Waits until everybody is at an address that there is, and stays. How many are where.
fn settle(fleet: &Fleet, agents: &Agents) -> Result<BTreeMap<SocketAddr, usize>> {
    let (began, mut since) = (Instant::now(), Instant::now());
    let mut last = Vec::new();
    while since.elapsed() < SETTLED {
        ensure!(
            began.elapsed() < SETTLE_PATIENCE,
            "the agents do not settle: {last:?}"
        );
        thread::sleep(LOOK_EVERY);
        let now = agents.addresses();
        let there = fleet.addresses();
        let is_settled = now
            .iter()
            .all(|at| at.is_some_and(|at| there.contains(&at)));
        if now != last || !is_settled {
            (last, since) = (now, Instant::now());
        }
    }
    let mut shares = BTreeMap::new();
    for address in last.into_iter().flatten() {
        *shares.entry(address).or_default() += 1;
    }
    Ok(shares)
}

fn tell_shares(shares: &BTreeMap<SocketAddr, usize>) -> Result<()> {
    let told: Vec<String> = shares.values().map(ToString::to_string).collect();
    print(&format!(
        "several aggregators: {} have {} agents",
        shares.len(),
        told.join(", ")
    ))?;
    ensure!(shares.len() == MANY, "some aggregators have no agent");
    Ok(())
}

/// Lets all of it run, and tells what the writers cost each other.
fn steady(what: &str, fleet: &mut Fleet) -> Result<()> {
    let before = fleet.figures()?;
    thread::sleep(STEADY);
    let Figures { entries, conflicts } = fleet.figures()? - before;
    ensure!(entries > 0, "{what}: nothing was committed in {STEADY:?}");
    print(&format!(
        "several aggregators: {what}: {entries} log entries in {STEADY:?}, {:.2} conflicts for each",
        conflicts as f64 / entries as f64
    ))
}
