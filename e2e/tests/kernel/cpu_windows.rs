//! Peaks over 100 ms against the threads' own clocks.

use std::time::{Duration, Instant};

use agent::{
    join::cpu_windows::{WINDOW_NS, cores, peak_ns},
    kernel::Kernel,
};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, measured, say},
    load::{
        bursts::Burst,
        samples::{Samples, highest},
    },
    process::Running,
};

use crate::basics::options;

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "cpu_peak_of_an_80_ms_burst_at_any_phase_is_0.8_cores",
        needs: &[],
        run: || bursts(1),
    },
    Test {
        name: "cpu_peak_of_80_ms_bursts_on_two_cores_is_1.6_cores",
        needs: &[],
        run: || bursts(2),
    },
    Test {
        name: "cpu_peak_of_a_run_that_does_not_end_is_seen_while_it_runs",
        needs: &[],
        run: run_without_end,
    },
    Test {
        name: "cpu_peak_belongs_to_the_row_window_of_its_burst",
        needs: &[],
        run: row_windows,
    },
];

const BURST_MS: u64 = 80;
/// A burst that took longer was stretched: by other processes, or by a host that ran others.
const STRETCHED_NS: u64 = 82_000_000;
/// The machine under it stood still if a burst did for a tick, or its process did something else.
const TICK_NS: u64 = 4_000_000;
/// One for each millisecond of a slot.
const PHASES: u64 = 20;
/// Accepted difference.
const PART: u64 = 20;

fn burst(load: &mut Running, phase_ms: u64) -> Result<Burst> {
    load.tell(&phase_ms.to_string())?;
    Burst::parse(&load.line()?)
}

fn peak(kernel: &mut Kernel, cgroup: &TestCgroup) -> Result<u64> {
    let snapshot = kernel.read()?;
    let account = snapshot.cpu.get(&cgroup.id);
    Ok(account.map_or(0, |account| peak_ns(account, snapshot.row_window)))
}

fn bursts(threads: u64) -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let cgroup = TestCgroup::new("bursts")?;
    let arguments = [threads.to_string(), BURST_MS.to_string()];
    let mut load = Running::start(
        &cgroup,
        None,
        "bursts",
        &arguments.each_ref().map(String::as_str),
    )?;
    let mut undisturbed = Vec::new();
    for phase_ms in 0..PHASES {
        let burst = burst(&mut load, phase_ms)?;
        let peak_ns = peak(&mut kernel, &cgroup)?;
        check_disturbed(&burst, threads, peak_ns)?;
        if burst.wall_ns < STRETCHED_NS && burst.stall_ns.max(burst.other_ns) < TICK_NS {
            let truth_ns = threads * BURST_MS * 1_000_000 + burst.other_ns;
            undisturbed.push(peak_ns as f64 / truth_ns as f64 - 1.0);
        }
    }
    measured(
        &format!("CPU peak of bursts of {BURST_MS} ms, {threads} at once"),
        "5 %",
        &worst_of(&undisturbed),
    );
    let accepted = 1.0 / PART as f64;
    ensure!(
        undisturbed.iter().all(|part| part.abs() <= accepted),
        "peaks are wrong by {undisturbed:?}"
    );
    Ok(())
}

/// The deviation that is farthest from zero, in words.
fn worst_of(deviations: &[f64]) -> String {
    let farther = |one: &&f64, other: &&f64| one.abs().total_cmp(&other.abs());
    match deviations.iter().max_by(farther) {
        Some(worst) => format!("{:+.2} % ({} undisturbed)", worst * 100.0, deviations.len()),
        None => "none undisturbed".to_owned(),
    }
}

/// What holds of every burst, however long it took: a window holds whole every 80 ms, and no more
/// than the highest 100 ms. A thread is charged when it runs on.
fn check_disturbed(burst: &Burst, threads: u64, peak_ns: u64) -> Result<()> {
    let stall_ns = threads * burst.stall_ns;
    let least_ns = burst.in_80_ms - burst.in_80_ms / PART;
    let most_ns = burst.in_100_ms + burst.in_100_ms / PART + burst.other_ns;
    ensure!(
        (least_ns.saturating_sub(stall_ns)..=most_ns + stall_ns).contains(&peak_ns),
        "a peak of {peak_ns} ns was read of {burst:?}"
    );
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(20);
const RUN_MS: u64 = 3_500;
const READ_EVERY_MS: u64 = 300;

/// Each reading while it runs holds windows of one core. A tick of 4 ms at a window's edge is allowed
/// for, and what the machine stood still.
fn run_without_end() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let cgroup = TestCgroup::new("steady")?;
    let load = Running::start(&cgroup, None, "steady", &[&RUN_MS.to_string()])?;
    let mut readings = Vec::new();
    let end = Instant::now() + Duration::from_millis(RUN_MS - READ_EVERY_MS);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(READ_EVERY_MS));
        let snapshot = kernel.read()?;
        let account = snapshot
            .cpu
            .get(&cgroup.id)
            .context("not seen while it runs")?;
        readings.push((snapshot.at_ns, peak_ns(account, snapshot.row_window)));
    }
    let samples = Samples::parse(&load.finish()?)?;
    let (first, last) = samples.span();
    let covered: Vec<_> = readings
        .windows(2)
        .filter(|pair| pair[0].0 >= first + WINDOW_NS && pair[1].0 <= last)
        .collect();
    ensure!(
        covered.len() >= 3,
        "only {} readings fell into the run",
        covered.len()
    );
    let mut undisturbed = Vec::new();
    for pair in &covered {
        undisturbed.extend(compare_running(&samples, pair[0].0, pair[1].0, pair[1].1)?);
    }
    measured(
        "CPU peak of a run without end, while it runs",
        "5 %",
        &worst_of(&undisturbed),
    );
    Ok(())
}

/// Checks one reading; its deviation, if the machine did not stand still meanwhile.
fn compare_running(
    samples: &Samples,
    from_ns: u64,
    to_ns: u64,
    peak_ns: u64,
) -> Result<Option<f64>> {
    let from_ns = from_ns - WINDOW_NS;
    let truth_ns = highest(std::slice::from_ref(samples), WINDOW_NS, from_ns, to_ns);
    let stall_ns = samples.longest_stall(from_ns, to_ns);
    let (seen, truth) = (cores(peak_ns), cores(truth_ns));
    let stall_ms = stall_ns / 1_000_000;
    say(&format!(
        "{seen:.3} cores of {truth:.3}, longest stall {stall_ms} ms"
    ));
    ensure!(
        peak_ns.abs_diff(truth_ns) <= truth_ns / PART + stall_ns,
        "{seen:.3} cores were seen, the thread's clock tells {truth:.3}"
    );
    Ok((stall_ns < TICK_NS).then_some(seen / truth - 1.0))
}

/// A burst is closed by the next event of its cgroup only, here row windows later.
fn row_windows() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let cgroup = TestCgroup::new("rows")?;
    let mut load = Running::start(&cgroup, None, "silent", &[])?;
    silent_burst(&kernel, &cgroup, &mut load, BURST_MS)?;
    let of_burst = peak(&mut kernel, &cgroup)?;
    let of_nothing = peak(&mut kernel, &cgroup)?;
    silent_burst(&kernel, &cgroup, &mut load, 1)?;
    let of_little = peak(&mut kernel, &cgroup)?;
    say(&format!(
        "{of_burst} ns, then {of_nothing} ns, then {of_little} ns"
    ));
    let half_ns = BURST_MS * 1_000_000 / 2;
    ensure!(of_burst > half_ns, "the burst is missing in its row window");
    ensure!(of_nothing == 0, "the burst is told twice");
    ensure!(
        of_little < half_ns,
        "the burst is told again when it is closed"
    );
    Ok(())
}

/// Makes a burst, and waits until its cgroup has used that and is long off its CPU again.
fn silent_burst(
    kernel: &Kernel,
    cgroup: &TestCgroup,
    load: &mut Running,
    cpu_ms: u64,
) -> Result<()> {
    let used = || -> Result<u64> { Ok(kernel.account(cgroup.id)?.0.map_or(0, |cpu| cpu.run_ns)) };
    let wanted = used()? + cpu_ms * 1_000_000;
    load.tell(&cpu_ms.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    let mut last = 0;
    while used()? < wanted || used()? != last {
        ensure!(Instant::now() < deadline, "the burst does not end");
        last = used()?;
        std::thread::sleep(2 * Duration::from_nanos(WINDOW_NS));
    }
    Ok(())
}
