//! CPU time by cgroup against `cpu.stat`, for the loads in which other ways to account differ.

use std::time::{Duration, Instant};

use agent::kernel::Kernel;
use anyhow::{Context as _, Result, bail, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, measured, say},
    process::Running,
};

use crate::basics::options;

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "cpu_of_busy_threads_is_that_of_cpu_stat",
        needs: &[],
        run: busy_threads,
    },
    Test {
        name: "cpu_of_800_forks_is_that_of_cpu_stat",
        needs: &[],
        run: || check("800 forks", "forks", &["800"]),
    },
    Test {
        name: "cpu_of_5000_wakeups_per_second_is_that_of_cpu_stat",
        needs: &[],
        run: || check("5,000 wake-ups a second", "wakeups", &["5000", "2000"]),
    },
    Test {
        name: "cpu_of_processes_that_hand_over_to_each_other_is_that_of_cpu_stat",
        needs: &[],
        run: || check("two processes and a pipe", "pingpong", &["1500"]),
    },
    Test {
        name: "cpu_of_a_realtime_thread_is_that_of_cpu_stat",
        needs: &[],
        run: || check("a realtime thread", "realtime", &["300"]),
    },
];

/// Accepted difference: a thousandth, and the microsecond that `cpu.stat` rounds to.
const PART: u64 = 1_000;
const ROUNDING_NS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(20);

fn busy_threads() -> Result<()> {
    check("1 busy thread", "busy", &["1", "500"])?;
    check("2 busy threads", "busy", &["2", "500"])?;
    check("4 busy threads", "busy", &["4", "500"])
}

fn check(what: &str, load: &str, arguments: &[&str]) -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let cgroup = TestCgroup::new(load)?;
    let told = Running::start(&cgroup, None, load, arguments)?.finish()?;
    let (counted_ns, usage_ns) = settled(&mut kernel, &cgroup)?;
    say(&format!(
        "{load} {arguments:?} {told}: {counted_ns} ns of {usage_ns} ns"
    ));
    let percent = (counted_ns as f64 / usage_ns as f64 - 1.0) * 100.0;
    measured(
        &format!("CPU time against cpu.stat: {what}"),
        "0.1 %",
        &format!("{percent:+.4} %"),
    );
    ensure!(
        counted_ns.abs_diff(usage_ns) <= usage_ns / PART + ROUNDING_NS,
        "{counted_ns} ns were counted, cpu.stat tells {usage_ns} ns"
    );
    Ok(())
}

/// What was counted and what `cpu.stat` tells once the last process of a cgroup is off its CPU: a
/// parent can know of the end before that.
fn settled(kernel: &mut Kernel, cgroup: &TestCgroup) -> Result<(u64, u64)> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = (0, 0);
    while Instant::now() < deadline {
        let account = kernel.read()?.cpu.get(&cgroup.id).copied();
        let now = (
            account.context("the cgroup has no account")?.run_ns,
            cgroup.usage_ns()?,
        );
        if now == last && !has_processes(cgroup)? {
            return Ok(now);
        }
        last = now;
        kernel.wait(10)?;
    }
    bail!("the counters still rise: {last:?}")
}

fn has_processes(cgroup: &TestCgroup) -> Result<bool> {
    let events = std::fs::read_to_string(cgroup.directory.join("cgroup.events"))?;
    Ok(events.lines().any(|line| line == "populated 1"))
}
