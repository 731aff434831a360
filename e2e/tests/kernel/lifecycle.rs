//! Short-lived cgroups: each is told from birth to release, and what it used is whole then.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use agent::kernel::{CgroupEvent, CgroupEventKind, Kernel};
use agent_common::network::{CLASSES, Traffic};
use anyhow::{Context as _, Result, anyhow, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, measured},
    load::jobs::{DATAGRAM_BYTES, Job},
    process::Running,
};

use crate::basics::options;

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "lifecycle_of_1000_jobs_of_50_ms_is_whole",
        needs: &[],
        run: jobs,
    },
    Test {
        name: "lifecycle_bytes_still_queued_at_removal_are_whole_at_release",
        needs: &[],
        run: queued,
    },
];

const JOBS: usize = 1_000;
const AT_ONCE: &str = "10";
const LIFE_MS: &str = "50";
const CPU_US: &str = "5000";
/// The release of a cgroup can wait for grace periods of the kernel.
const PATIENCE: Duration = Duration::from_secs(120);
const IP_AND_UDP_HEADER: u64 = 28;

/// What was told, and the accounts of released cgroups, taken as an agent does.
#[derive(Default)]
pub(crate) struct Told {
    events: HashMap<u64, Vec<CgroupEvent>>,
    pub(crate) accounts: HashMap<u64, Account>,
}

/// What a cgroup had used when it was released.
#[derive(Clone, Copy, Default)]
pub(crate) struct Account {
    run_ns: u64,
    pub(crate) traffic: Traffic,
}

impl Told {
    /// Takes in what waits.
    pub(crate) fn listen(&mut self, kernel: &mut Kernel) -> Result<()> {
        let mut new = Vec::new();
        kernel.cgroup_events(|event| new.push(event));
        for event in new {
            let event = event?;
            if event.kind == CgroupEventKind::Released {
                let account = account(kernel, event.cgroup_id)?;
                self.accounts.insert(event.cgroup_id, account);
                kernel.remove_account(event.cgroup_id)?;
            }
            self.events.entry(event.cgroup_id).or_default().push(event);
        }
        Ok(())
    }

    /// Listens until all of `ids` are released.
    pub(crate) fn await_releases(&mut self, kernel: &mut Kernel, ids: &[u64]) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.listen(kernel)?;
            let missing = ids
                .iter()
                .filter(|id| !self.accounts.contains_key(id))
                .count();
            if missing == 0 {
                return Ok(());
            }
            let told = ids.len() - missing;
            ensure!(
                Instant::now() < deadline,
                "{told} of {} were released",
                ids.len()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn events(&self, id: u64) -> &[CgroupEvent] {
        self.events.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// What a cgroup has used so far.
pub(crate) fn account(kernel: &Kernel, id: u64) -> Result<Account> {
    let (cpu, network) = kernel.account(id)?;
    Ok(Account {
        run_ns: cpu.map_or(0, |cpu| cpu.run_ns),
        traffic: total(&network),
    })
}

fn total(classes: &[Traffic; CLASSES]) -> Traffic {
    classes
        .iter()
        .fold(Traffic::default(), |sum, class| Traffic {
            tx_bytes: sum.tx_bytes + class.tx_bytes,
            tx_packets: sum.tx_packets + class.tx_packets,
            rx_bytes: sum.rx_bytes + class.rx_bytes,
            rx_packets: sum.rx_packets + class.rx_packets,
        })
}

fn jobs() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let mut told = Told::default();
    let parent = TestCgroup::new("jobs")?;
    let jobs = run_jobs(&mut kernel, &mut told, &parent)?;
    let ids: Vec<u64> = jobs.iter().map(|job| job.id).collect();
    told.await_releases(&mut kernel, &ids)?;
    for job in &jobs {
        check_events(
            told.events(job.id),
            &format!("{}/{}", parent.path, job.name),
        )?;
        check_datagram(&told.accounts[&job.id].traffic)?;
    }
    check_cpu(&told, &jobs)
}

/// Runs all jobs and listens meanwhile.
fn run_jobs(kernel: &mut Kernel, told: &mut Told, parent: &TestCgroup) -> Result<Vec<Job>> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = receiver.local_addr()?.port().to_string();
    let directory = parent.directory.to_string_lossy().into_owned();
    let count = JOBS.to_string();
    let arguments = [directory.as_str(), &count, AT_ONCE, LIFE_MS, CPU_US, &port];
    let runner = TestCgroup::new("runner")?;
    let load = Running::start(&runner, None, "jobs", &arguments)?;
    let waiting = thread::spawn(move || load.finish());
    while !waiting.is_finished() {
        told.listen(kernel)?;
        thread::sleep(Duration::from_millis(20));
    }
    let lines = waiting.join().map_err(|_| anyhow!("a thread panicked"))??;
    let jobs: Vec<Job> = lines.lines().map(Job::parse).collect::<Result<_>>()?;
    ensure!(jobs.len() == JOBS, "{} jobs were run", jobs.len());
    Ok(jobs)
}

/// Born, removed, released, once each and in this order, under the right name.
fn check_events(events: &[CgroupEvent], path: &str) -> Result<()> {
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    let all = [
        CgroupEventKind::Born,
        CgroupEventKind::Removed,
        CgroupEventKind::Released,
    ];
    ensure!(kinds == all, "{path}: {kinds:?} were told");
    ensure!(
        events.is_sorted_by_key(|event| event.at_ns),
        "{path}: {events:?}"
    );
    let named = |event: &CgroupEvent| event.path == path && !event.path_cut;
    ensure!(events.iter().all(named), "{path}: {events:?}");
    Ok(())
}

fn check_datagram(traffic: &Traffic) -> Result<()> {
    let truth = Traffic {
        tx_bytes: DATAGRAM_BYTES + IP_AND_UDP_HEADER,
        tx_packets: 1,
        ..Traffic::default()
    };
    ensure!(
        *traffic == truth,
        "{traffic:?} was counted, {truth:?} is true"
    );
    Ok(())
}

/// `cpu.stat` was read when the process had ended but may not have been off its CPU yet.
fn check_cpu(told: &Told, jobs: &[Job]) -> Result<()> {
    let usage_ns: u64 = jobs.iter().map(|job| job.usage_ns).sum();
    let counted_ns: u64 = jobs.iter().map(|job| told.accounts[&job.id].run_ns).sum();
    let part = counted_ns as f64 / usage_ns as f64 - 1.0;
    measured(
        "CPU time of 1,000 jobs of 50 ms against cpu.stat before its removal",
        "1 %",
        &format!("{:+.3} %", part * 100.0),
    );
    ensure!(
        part.abs() < 0.01,
        "{counted_ns} ns were counted of {usage_ns} ns"
    );
    measured("Packets and bytes of 1,000 jobs of 50 ms", "exact", "0");
    Ok(())
}

const QUEUED_BYTES: u64 = 400_000;

/// The sender ends and its cgroup is removed before its data could leave. Below a cgroup that gives
/// its children no controllers: pages charged to a removed cgroup can put off its release for long.
fn queued() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let mut told = Told::default();
    let parent = TestCgroup::new("queue")?;
    let (sender, receiver) = (parent.child("sender")?, parent.child("receiver")?);
    let mut receiving = Running::start(&receiver, None, "queue-receiver", &[])?;
    let port = receiving.line()?;
    let arguments = [port, QUEUED_BYTES.to_string()];
    let arguments = arguments.each_ref().map(String::as_str);
    Running::start(&sender, None, "queue-sender", &arguments)?.finish()?;
    sender.remove()?;
    told.listen(&mut kernel)?;
    let removed = |event: &CgroupEvent| event.kind == CgroupEventKind::Removed;
    ensure!(
        told.events(sender.id).iter().any(removed),
        "it is not told to be removed"
    );
    let before = account(&kernel, sender.id)?.traffic.tx_bytes;
    ensure!(
        before < QUEUED_BYTES / 2,
        "{before} bytes had left before the removal"
    );

    receiving.tell("read")?;
    let received: u64 = receiving.line()?.parse().context("what was received")?;
    ensure!(received == QUEUED_BYTES, "{received} bytes were received");
    told.await_releases(&mut kernel, &[sender.id])?;
    let sent = told.accounts[&sender.id].traffic;
    let got = account(&kernel, receiver.id)?.traffic;
    ensure!(
        (
            sent.tx_bytes,
            sent.tx_packets,
            sent.rx_bytes,
            sent.rx_packets
        ) == (got.rx_bytes, got.rx_packets, got.tx_bytes, got.tx_packets),
        "one end counted {sent:?}, the other {got:?}"
    );
    measured(
        &format!("Bytes and packets of {QUEUED_BYTES} bytes queued at the removal"),
        "exact at release",
        &format!("0; {before} bytes had left before"),
    );
    receiving.tell("close")?;
    receiving.finish().map(drop)
}
