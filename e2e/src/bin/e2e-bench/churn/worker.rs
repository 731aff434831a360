//! A process that lives in one new cgroup after the other.

use std::{
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use e2e::{
    cgroup::{TestCgroup, write},
    process::{Running, Workload},
};

pub(crate) const WORKLOAD: Workload = ("short_lives", short_lives);

/// The running processes.
pub(super) struct Workers(Vec<Running>);

impl Workers {
    pub(super) fn start(parents: &[TestCgroup], cgroups_each: u64, rate: f64) -> Result<Self> {
        parents
            .iter()
            .map(|parent| {
                let directory = parent
                    .directory
                    .to_str()
                    .context("a path that is no text")?;
                let arguments = [directory, &cgroups_each.to_string(), &rate.to_string()];
                Running::start(parent, None, WORKLOAD.0, &arguments)
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether one still makes cgroups: an ended process keeps its entry until it is waited for.
    pub(super) fn are_running(&self) -> bool {
        self.0.iter().any(|worker| {
            fs::read_to_string(format!("/proc/{}/stat", worker.id()))
                .is_ok_and(|stat| !stat.contains(") Z "))
        })
    }

    pub(super) fn finish(self) -> Result<()> {
        self.0
            .into_iter()
            .try_for_each(|worker| worker.finish().map(drop))
    }
}

/// Makes a cgroup, moves there, sends a datagram, goes on to the next and removes the last.
fn short_lives(arguments: &[String]) -> Result<()> {
    let [parent, cgroups, rate] = arguments else {
        bail!("which directory, how many, and how many a second?");
    };
    let rate: f64 = rate.parse()?;
    let start = Instant::now();
    let parent = Path::new(parent);
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    let mut last: Option<PathBuf> = None;
    for number in 0..cgroups.parse::<u64>()? {
        while number as f64 > start.elapsed().as_secs_f64() * rate {
            thread::sleep(Duration::from_millis(1));
        }
        let directory = parent.join(number.to_string());
        fs::create_dir(&directory).context("making a cgroup")?;
        enter(&directory)?;
        let sender = UdpSocket::bind("127.0.0.1:0")?;
        sender.send_to(&[0; 64], receiver.local_addr()?)?;
        receiver.recv(&mut [0; 64])?;
        drop(sender);
        remove(last.replace(directory))?;
    }
    enter(parent)?;
    remove(last)
}

fn enter(directory: &Path) -> Result<()> {
    write(&directory.join("cgroup.procs"), "0")
}

fn remove(directory: Option<PathBuf>) -> Result<()> {
    directory.map_or(Ok(()), |directory| {
        fs::remove_dir(directory).context("removing a cgroup")
    })
}
