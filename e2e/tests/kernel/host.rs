//! The agent on a plain host, from the kernel to its rows.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use agent::{
    host::{Host, Settings},
    run::{self, Schedule},
};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Need, Test, measured, say},
    process::{Running, Workload},
};
use protocol::{PodUsage, Row};

use crate::basics::options;

/// Windows of these tests.
const INTERVAL: Duration = Duration::from_millis(500);

pub(crate) const WORKLOADS: &[Workload] = &[("spin", spin)];
pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "host_rows_add_up_to_the_total",
        needs: &[],
        run: rows_add_up,
    },
    Test {
        name: "host_throttling_is_that_of_cpu_stat",
        needs: &[Need::CpuController],
        run: throttling,
    },
];

fn spin(_: &[String]) -> Result<()> {
    loop {
        std::hint::spin_loop();
    }
}

fn host() -> Result<Host> {
    let settings = Settings::new(options()?, None);
    Ok(Host::start(settings, say)?)
}

/// Rows of the next `length`.
fn rows_for(host: &mut Host, length: Duration) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    let never = Arc::new(AtomicBool::new(false));
    let schedule = Schedule::new(INTERVAL, Some(Instant::now() + length), &never);
    run::on_host(host, schedule, None, |rows| {
        all.extend(rows.iter().cloned());
        Ok(())
    })?;
    Ok(all)
}

fn usages<'a>(rows: &'a [Row], path: &'a str) -> impl Iterator<Item = &'a PodUsage> {
    rows.iter().filter_map(move |row| match row {
        Row::PodUsage(usage) if usage.pod_id == path => Some(usage),
        _ => None,
    })
}

/// In each window the rows' CPU, the unattributed and what came to be in flight make up the total, and
/// nothing stays in flight.
fn rows_add_up() -> Result<()> {
    let mut host = host()?;
    let cgroups = [TestCgroup::new("a")?, TestCgroup::new("b")?];
    let load: Vec<Running> = cgroups
        .iter()
        .map(|cgroup| Running::start(cgroup, None, "spin", &[]))
        .collect::<Result<_>>()?;
    let mut rows = rows_for(&mut host, Duration::from_secs(3))?;
    drop(load);
    // Little happens now: what was in flight is told, unless it was lost.
    rows.extend(rows_for(&mut host, INTERVAL * 2)?);
    let mut by_seq: HashMap<i64, i64> = HashMap::new();
    for row in &rows {
        if let Row::PodUsage(usage) = row {
            let cpu_ns = (usage.cpu_seconds.unwrap_or(0.0) * 1e9).round() as i64;
            *by_seq.entry(usage.seq).or_default() += cpu_ns;
        }
    }
    let (mut total, mut in_flight) = (0, 0);
    for row in &rows {
        let Row::Reconcile(balance) = row else {
            continue;
        };
        let seq = i64::try_from(balance.origin.seq)?;
        let said = by_seq.get(&seq).copied().unwrap_or(0) - balance.cpu_ns.unattributed;
        // Rows hold seconds: a nanosecond may be lost in each.
        ensure!(
            (said - balance.cpu_ns.rows).abs() < 1_000,
            "window {seq}: {said}, {balance:?}"
        );
        total += balance.cpu_ns.total;
        in_flight = balance.cpu_ns.in_flight;
    }
    let share = in_flight.abs() as f64 / total as f64;
    measured(
        "CPU in no row after 3 s under load",
        "1 %",
        &format!("{:.4} %", share * 100.0),
    );
    // What other processes use while the maps are read: milliseconds on an emulated CPU.
    ensure!(share < 0.01, "{in_flight} ns of {total} ns are in no row");
    Ok(())
}

fn throttling() -> Result<()> {
    let mut host = host()?;
    let work = TestCgroup::new("throttled")?;
    work.write("cpu.max", "10000 50000")?;
    // The first row sets the mark from which throttling is counted.
    let load = Running::start(&work, None, "spin", &[])?;
    rows_for(&mut host, INTERVAL)?;
    let mark = throttled_usec(&work)?;
    let rows = rows_for(&mut host, Duration::from_secs(3))?;
    drop(load);
    let told: f64 = usages(&rows, &work.path)
        .filter_map(|usage| usage.cpu_throttled_seconds)
        .sum();
    let truth = throttled_usec(&work)?.saturating_sub(mark) as f64 / 1e6;
    ensure!(
        told > 0.5,
        "no throttling was told: {told} s, cpu.stat {truth} s"
    );
    // The file is read at the ends of windows, and here a moment later.
    let share = (told - truth).abs() / truth;
    measured(
        "throttled time against cpu.stat",
        "10 %",
        &format!("{:.2} %", share * 100.0),
    );
    ensure!(share < 0.1, "{told} s, cpu.stat {truth} s");
    Ok(())
}

fn throttled_usec(cgroup: &TestCgroup) -> Result<u64> {
    let stat = agent::cgroups::read_cpu_stat(&cgroup.directory, "/")?;
    stat.throttled_usec.context("no throttling in cpu.stat")
}
