//! What goes wrong, drawn from a seed. Only the moments at which it meets the processes are the machine's own.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::store::Rules;
use rand::{Rng as _, rngs::StdRng};

use crate::cluster::{Cluster, EACH};

/// Table of the packet filter.
const TABLE: &str = "podledger_chaos";
/// How long a state lasts, at most.
const MOST_LASTING: Duration = Duration::from_secs(8);

/// What is wrong now, and how often what went wrong.
#[derive(Default)]
pub(crate) struct Faults {
    counts: BTreeMap<&'static str, u32>,
    udp_until: Option<Instant>,
    disk_until: Option<Instant>,
    store_until: Option<Instant>,
    vacuum: Option<Child>,
}

impl Faults {
    /// Ends what has lasted long enough, revives what is dead, and does the next thing.
    pub(crate) fn next(&mut self, cluster: &mut Cluster, rng: &mut StdRng) -> Result<()> {
        self.end_what_is_over(cluster, Instant::now())?;
        revive(cluster, rng)?;
        let (number, lasting) = (
            rng.random_range(0..EACH),
            rng.random_range(Duration::from_secs(2)..MOST_LASTING),
        );
        let until = Instant::now() + lasting;
        let what = match rng.random_range(0..12) {
            0..=2 => {
                kill(cluster.agents[number].as_mut());
                "agents killed"
            }
            3..=5 => {
                kill(cluster.aggregators[number].as_mut());
                "aggregators killed"
            }
            6 => {
                drop_udp(&cluster.ports)?;
                self.udp_until = Some(until);
                "times without UDP"
            }
            7 => {
                fill(cluster)?;
                self.disk_until = Some(until);
                "full disks"
            }
            8 => {
                cluster.store.faults().set(wild(rng));
                self.store_until = Some(until);
                "times with a failing store"
            }
            9 | 10 => {
                self.end_vacuum()?;
                self.vacuum = Some(cluster.vacuum()?);
                "vacuums"
            }
            _ => {
                cluster.place.certify()?;
                "certificates"
            }
        };
        *self.counts.entry(what).or_default() += 1;
        Ok(())
    }

    /// Wherever it is by then.
    fn end_vacuum(&mut self) -> Result<()> {
        if let Some(mut vacuum) = self.vacuum.take() {
            // One that has ended is none to be killed.
            drop(vacuum.kill());
            vacuum.wait()?;
        }
        Ok(())
    }

    fn end_what_is_over(&mut self, cluster: &Cluster, now: Instant) -> Result<()> {
        if self.udp_until.take_if(|until| *until <= now).is_some() {
            let_udp_through()?;
        }
        if self.disk_until.take_if(|until| *until <= now).is_some() {
            free(cluster)?;
        }
        if self.store_until.take_if(|until| *until <= now).is_some() {
            cluster.store.faults().clear();
        }
        Ok(())
    }

    /// Everything is well again.
    pub(crate) fn heal(&mut self, cluster: &mut Cluster) -> Result<()> {
        self.end_vacuum()?;
        let never = Instant::now() + MOST_LASTING;
        self.end_what_is_over(cluster, never)?;
        let calm = Duration::from_millis(100);
        thread::sleep(calm);
        for number in 0..EACH {
            if !cluster.aggregators[number]
                .as_mut()
                .is_some_and(e2e::stack::Daemon::is_alive)
            {
                cluster.start_aggregator(number)?;
            }
            if !cluster.agents[number]
                .as_mut()
                .is_some_and(e2e::stack::Daemon::is_alive)
            {
                cluster.start_agent(number, number)?;
            }
        }
        Ok(())
    }

    /// How often what went wrong.
    pub(crate) fn told(&self) -> String {
        let told = self
            .counts
            .iter()
            .map(|(what, count)| format!("{count} {what}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

fn kill(daemon: Option<&mut e2e::stack::Daemon>) {
    daemon.into_iter().for_each(e2e::stack::Daemon::kill);
}

/// Starts what is dead; an agent moves to any of the aggregators.
fn revive(cluster: &mut Cluster, rng: &mut StdRng) -> Result<()> {
    for number in 0..EACH {
        if !cluster.agents[number]
            .as_mut()
            .is_some_and(e2e::stack::Daemon::is_alive)
        {
            cluster.start_agent(number, rng.random_range(0..EACH))?;
        }
        if !cluster.aggregators[number]
            .as_mut()
            .is_some_and(e2e::stack::Daemon::is_alive)
        {
            cluster.start_aggregator(number)?;
        }
    }
    Ok(())
}

fn wild(rng: &mut StdRng) -> Rules {
    Rules {
        seed: rng.random(),
        internal: 0.1,
        unavailable: 0.2,
        throttled: 0.1,
        conflict: 0.1,
        done_error: 0.2,
        slow: 0.3,
        delay_ms: 200,
        ..Rules::default()
    }
}

fn nft(words: &str) -> Result<()> {
    let status = Command::new("nft").args(words.split(' ')).status();
    let status = status.context("starting nft: `cargo xtask setup` brings it in")?;
    ensure!(status.success(), "nft {words}: {status}");
    Ok(())
}

pub(crate) fn drop_udp(ports: &[u16]) -> Result<()> {
    nft(&format!("add table inet {TABLE}"))?;
    nft(&format!(
        "add chain inet {TABLE} input {{ type filter hook input priority 0 ; }}"
    ))?;
    ports.iter().try_for_each(|port| {
        nft(&format!(
            "add rule inet {TABLE} input udp dport {port} drop"
        ))
    })
}

pub(crate) fn let_udp_through() -> Result<()> {
    nft(&format!("delete table inet {TABLE}"))
}

/// Leaves no room where the first agent's spool is.
fn fill(cluster: &Cluster) -> Result<()> {
    let mut file = File::create(cluster.spool(0).join("filler"))?;
    let block = [0; 4096];
    while file.write_all(&block).is_ok() {}
    Ok(())
}

fn free(cluster: &Cluster) -> Result<()> {
    fs::remove_file(cluster.spool(0).join("filler")).context("making room again")
}
