//! Loading: beside others' programs, with some sources, and without the privileges for any.

use std::{
    io::Write as _,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use agent::{
    host::{Host, Settings, output},
    kernel::{Kernel, Source},
    run::{self, Schedule},
};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::Test,
    process::{Running, Workload},
};
use serde_json::Value;

use crate::{
    basics::options,
    restart::{Places, packets},
};

/// Window of the agent in these tests.
const INTERVAL: Duration = Duration::from_millis(250);

pub(crate) const WORKLOADS: &[Workload] = &[("unprivileged-agent", unprivileged)];
pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "load_beside_others_programs",
        needs: &[],
        run: beside_others,
    },
    Test {
        name: "load_without_a_source_detaches_it",
        needs: &[],
        run: without_a_source,
    },
    Test {
        name: "load_without_privileges_tells_what_is_missing",
        needs: &[],
        run: no_privileges,
    },
];

fn beside_others() -> Result<()> {
    let work = TestCgroup::new("work")?;
    let mut first = Kernel::start(&options()?)?;
    let mut second = Kernel::start(&options()?)?;
    let mut load = Running::start(&work, None, "mixed", &[])?;
    load.tell("end")?;
    let sent: u64 = load.finish()?.parse()?;
    for kernel in [&mut first, &mut second] {
        let counted = packets(&kernel.read()?, work.id);
        ensure!(counted == (sent, sent), "{counted:?}, {sent} were sent");
    }
    drop(second);
    let mut load = Running::start(&work, None, "mixed", &[])?;
    load.tell("end")?;
    let more: u64 = load.finish()?.parse()?;
    let counted = packets(&first.read()?, work.id);
    ensure!(
        counted == (sent + more, sent + more),
        "the first was displaced: {counted:?}"
    );
    Ok(())
}

fn without_a_source() -> Result<()> {
    let places = Places::new("without");
    drop(Kernel::start(&places.options()?)?);
    let mut options = places.options()?;
    options.sources = vec![Source::Cpu];
    let mut kernel = Kernel::start(&options)?;
    let before = kernel.read()?.network_totals;
    let work = TestCgroup::new("work")?;
    let mut load = Running::start(&work, None, "mixed", &[])?;
    load.tell("end")?;
    load.finish()?;
    let snapshot = kernel.read()?;
    ensure!(
        snapshot.network_totals == before,
        "packets are counted still"
    );
    ensure!(
        snapshot.cpu.contains_key(&work.id),
        "CPU is counted no more"
    );
    Ok(())
}

/// The agent without any privilege: one window, then what it says of its sources.
#[expect(unsafe_code, reason = "setresuid has no safe wrapper")]
fn unprivileged(_: &[String]) -> Result<()> {
    let settings = Settings::new(options()?, None);
    // SAFETY: no memory is involved.
    let status = unsafe { libc::setresuid(65534, 65534, 65534) };
    ensure!(
        status == 0,
        "dropping privileges: {}",
        std::io::Error::last_os_error()
    );
    let mut stdout = std::io::stdout().lock();
    let mut said = Vec::new();
    let mut host = Host::start(settings, |line| said.push(line.to_owned()))?;
    said.iter()
        .try_for_each(|line| writeln!(stdout, "{line}"))?;
    let end = Instant::now() + INTERVAL * 2;
    let never = Arc::new(AtomicBool::new(false));
    let schedule = Schedule::new(INTERVAL, Some(end), &never);
    Ok(run::on_host(&mut host, schedule, None, |rows| {
        output::write_json(&mut stdout, rows)
    })?)
}

fn no_privileges() -> Result<()> {
    let (work, agents) = (TestCgroup::new("work")?, TestCgroup::new("agents")?);
    let load = Running::start(&work, None, "mixed", &[])?;
    let said = Running::start(&agents, None, "unprivileged-agent", &[])?.finish()?;
    drop(load);
    let line = said.lines().find(|line| line.contains("no counters of"));
    let line = line.with_context(|| format!("nothing about what is missing: {said}"))?;
    for source in Source::ALL {
        ensure!(
            line.contains(source.name()),
            "nothing about {source}: {line}"
        );
    }
    ensure!(line.contains("CAP_BPF"), "not what to do: {line}");
    let rows: Vec<Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let row = rows.iter().find(|row| row["pod_id"] == work.path.as_str());
    let row = row.context("no row for a running workload")?;
    ensure!(
        row["cpu_seconds"].as_f64() > Some(0.0),
        "no CPU by cpu.stat: {row}"
    );
    ensure!(
        row["net_tx_bytes_delta"].is_null(),
        "traffic that nobody counted: {row}"
    );
    ensure!(
        row["sources"].to_string().contains("network=absent"),
        "{row}"
    );
    Ok(())
}
