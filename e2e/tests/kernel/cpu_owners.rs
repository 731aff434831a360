//! Windows of several cgroups in one account: a pod's peak is that of its containers together.

use std::{
    io::{BufRead as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use agent::{
    join::cpu_windows::{WINDOW_NS, peak_ns},
    kernel::{CgroupEventKind, Kernel, Snapshot, sys},
};
use agent_common::{
    cpu::CpuUsage,
    table::{CPU_ACCOUNTS, FREE, OWN, Places, stored},
};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, measured},
    load::{
        clock::{boot_ns, go_first, precise_timers, sleep_until},
        samples::{Samples, highest},
    },
    process::{Running, Workload},
};

use crate::{basics::options, restart::Places as Pins};

pub(crate) const WORKLOADS: &[Workload] = &[("appointed", appointed)];
pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "cpu_owner_peak_of_two_cgroups_at_once_is_their_sum",
        needs: &[],
        run: || peaks("at once", [80, 80], 0),
    },
    Test {
        name: "cpu_owner_peak_of_two_cgroups_in_turn_is_one_window",
        needs: &[],
        run: || peaks("in turn", [40, 40], 40),
    },
    Test {
        name: "cpu_owner_peak_of_two_cgroups_far_apart_is_the_higher",
        needs: &[],
        run: || peaks("far apart", [40, 60], 300),
    },
    Test {
        name: "cpu_owner_outlives_the_agent_and_lets_go_at_its_end",
        needs: &[],
        run: restart_and_end,
    },
    Test {
        name: "cpu_owner_is_told_of_both_places_of_a_key",
        needs: &[],
        run: two_places,
    },
    Test {
        name: "cpu_owner_without_a_place_changes_nothing",
        needs: &[],
        run: full_table,
    },
    Test {
        name: "lifecycle_birth_wakes_its_reader",
        needs: &[],
        run: birth_wakes,
    },
];

const MS: u64 = 1_000_000;
/// What comes before and after a burst lies in no window with it.
const QUIET_NS: u64 = 200 * MS;
const PHASES: u64 = 10;
const PHASE_NS: u64 = 2 * MS;
const SLOT_NS: u64 = 20 * MS;
const SAMPLE_EVERY_NS: u64 = 200_000;
/// The longest burst that windows at any phase hold whole.
const WHOLE_NS: u64 = 80 * MS;
/// A burst that took so much longer was stretched, by other processes or by the host.
const STRETCH_NS: u64 = 2 * MS;
const TICK_NS: u64 = 4 * MS;
/// Accepted difference of a peak.
const PART: u64 = 20;
const CPU_TOLERANCE: f64 = 0.001;
const PATIENCE: Duration = Duration::from_secs(20);

/// A CPU to run on. For every line of input, which tells a moment of the boot clock and nanoseconds of
/// CPU time, a burst from that moment on and its samples.
fn appointed(arguments: &[String]) -> Result<()> {
    let cpu = arguments.first().context("a CPU is missing")?.parse()?;
    // Without these rights, more bursts are stretched and fewer count.
    drop((sys::run_on(cpu), go_first(), precise_timers()));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (start_ns, cpu_ns) = line.split_once(' ').context("no moment and time")?;
        sleep_until(start_ns.parse()?);
        let samples = Samples::burn(cpu_ns.parse()?, SAMPLE_EVERY_NS);
        sleep_until(boot_ns() + QUIET_NS);
        writeln!(std::io::stdout(), "{samples}")?;
    }
    Ok(())
}

/// A cgroup and two in it, a process in each.
struct Pod {
    // Dropped in this order: what lies in it goes first.
    loads: [Running; 2],
    children: [TestCgroup; 2],
    parent: TestCgroup,
}

impl Pod {
    fn new(label: &str) -> Result<Self> {
        let parent = TestCgroup::new(label)?;
        let children = [parent.child("a")?, parent.child("b")?];
        let load = |child, cpu: &str| Running::start(child, None, "appointed", &[cpu]);
        Ok(Self {
            loads: [load(&children[0], "0")?, load(&children[1], "1")?],
            children,
            parent,
        })
    }

    fn link(&self, kernel: &mut Kernel) -> Result<()> {
        for child in &self.children {
            let linked = kernel.charge_windows_to(child.id, self.parent.id)?;
            ensure!(linked, "the table of accounts is full");
        }
        Ok(())
    }

    /// A burst of each, so many milliseconds long, the second `later_ms` after the first.
    fn burst(&mut self, cpu_ms: [u64; 2], later_ms: u64, phase_ns: u64) -> Result<[Samples; 2]> {
        let first = (boot_ns() + QUIET_NS).next_multiple_of(SLOT_NS) + phase_ns;
        let starts = [first, first + later_ms * MS];
        for ((load, start_ns), cpu_ms) in self.loads.iter_mut().zip(starts).zip(cpu_ms) {
            load.tell(&format!("{start_ns} {}", cpu_ms * MS))?;
        }
        let [first, second] = &mut self.loads;
        Ok([
            Samples::parse(&first.line()?)?,
            Samples::parse(&second.line()?)?,
        ])
    }
}

/// What a pod's account told of a burst, and its true peak if nothing disturbed it.
fn check_peak(peak_ns: u64, samples: &[Samples; 2], cpu_ms: [u64; 2]) -> Result<Option<f64>> {
    let spans = samples.each_ref().map(Samples::span);
    let from_ns = spans[0].0.min(spans[1].0) - WINDOW_NS;
    let to_ns = spans[0].1.max(spans[1].1) + WINDOW_NS;
    let stall_ns: u64 = samples
        .iter()
        .map(|thread| thread.longest_stall(from_ns, to_ns))
        .sum();
    let whole_ns = highest(samples, WHOLE_NS, from_ns, to_ns);
    let most_ns = highest(samples, WINDOW_NS, from_ns, to_ns);
    let least_ns = (whole_ns - whole_ns / PART).saturating_sub(stall_ns);
    ensure!(
        (least_ns..=most_ns + most_ns / PART + stall_ns).contains(&peak_ns),
        "a peak of {peak_ns} ns, the threads used {whole_ns} ns in 80 ms, {most_ns} ns in 100 ms, \
         and stood still for {stall_ns} ns"
    );
    let is_undisturbed = stall_ns < TICK_NS
        && most_ns - whole_ns <= most_ns / 50
        && spans
            .iter()
            .zip(cpu_ms)
            .all(|((from, to), cpu_ms)| to - from < cpu_ms * MS + STRETCH_NS);
    Ok(is_undisturbed.then(|| peak_ns as f64 / most_ns as f64 - 1.0))
}

fn peak_of(snapshot: &Snapshot, cgroup: &TestCgroup) -> u64 {
    let account = snapshot.cpu.get(&cgroup.id);
    account.map_or(0, |account| peak_ns(account, snapshot.row_window))
}

fn peaks(what: &str, cpu_ms: [u64; 2], later_ms: u64) -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let mut pod = Pod::new("pod")?;
    let alone = Pod::new("alone")?;
    pod.link(&mut kernel)?;
    // What they used before they were linked.
    let before = kernel.read()?;
    let histograms = pod
        .children
        .each_ref()
        .map(|child| histogram(&before, child));
    let mut undisturbed = Vec::new();
    for phase in 0..PHASES {
        let samples = pod.burst(cpu_ms, later_ms, phase * PHASE_NS)?;
        let snapshot = kernel.read()?;
        undisturbed.extend(check_peak(
            peak_of(&snapshot, &pod.parent),
            &samples,
            cpu_ms,
        )?);
        let own = pod
            .children
            .each_ref()
            .map(|child| peak_of(&snapshot, child));
        ensure!(own == [0, 0], "windows are told twice: {own:?}");
    }
    let farther = |one: &&f64, other: &&f64| one.abs().total_cmp(&other.abs());
    let told = match undisturbed.iter().max_by(farther) {
        Some(worst) => format!(
            "{:+.2} % ({} undisturbed)",
            worst * 100.0,
            undisturbed.len()
        ),
        None => "none undisturbed".to_owned(),
    };
    measured(
        &format!("CPU peak of two cgroups together, bursts {what}"),
        "5 %",
        &told,
    );
    let accepted = 1.0 / PART as f64;
    ensure!(
        undisturbed.iter().all(|part| part.abs() <= accepted),
        "peaks are wrong by {undisturbed:?}"
    );
    let after = kernel.read()?;
    let now = pod
        .children
        .each_ref()
        .map(|child| histogram(&after, child));
    ensure!(now == histograms, "the children's windows went on");
    check_totals(&kernel, &pod)?;
    let unlinked = kernel.account(alone.children[0].id)?.0;
    ensure!(
        unlinked.is_some_and(|account| account.last_slot != 0),
        "an unlinked cgroup lost its windows"
    );
    Ok(())
}

fn histogram(snapshot: &Snapshot, cgroup: &TestCgroup) -> u32 {
    let account = snapshot.cpu.get(&cgroup.id);
    account.map_or(0, |account| account.histogram.iter().sum())
}

/// Run time is the children's and stays what `cpu.stat` says; the owner has none.
fn check_totals(kernel: &Kernel, pod: &Pod) -> Result<()> {
    for child in &pod.children {
        let counted = run_ns(kernel, child)? as f64;
        let truth = child.usage_ns()? as f64;
        ensure!(
            (counted - truth).abs() <= truth * CPU_TOLERANCE,
            "{}: {counted} ns, cpu.stat {truth} ns",
            child.path
        );
    }
    let own = run_ns(kernel, &pod.parent)?;
    ensure!(own == 0, "{own} ns were charged to the owner");
    Ok(())
}

fn run_ns(kernel: &Kernel, cgroup: &TestCgroup) -> Result<u64> {
    let account = kernel.account(cgroup.id)?.0;
    Ok(account.unwrap_or(CpuUsage::ZERO).run_ns)
}

const BURST_MS: u64 = 60;

/// The peaks of a burst of one child: the parent's and its own.
fn peaks_of_one(kernel: &mut Kernel, pod: &mut Pod) -> Result<(u64, u64)> {
    kernel.read()?;
    pod.burst([BURST_MS, 1], 0, 0)?;
    let snapshot = kernel.read()?;
    Ok((
        peak_of(&snapshot, &pod.parent),
        peak_of(&snapshot, &pod.children[0]),
    ))
}

fn restart_and_end() -> Result<()> {
    let pins = Pins::new("owners");
    let mut kernel = Kernel::start(&pins.options()?)?;
    let mut pod = Pod::new("pod")?;
    pod.link(&mut kernel)?;
    drop(kernel);
    let mut kernel = Kernel::start(&pins.options()?)?;
    ensure!(kernel.took_over(), "the counters began anew");
    let least_ns = BURST_MS * MS / 2;
    let (parents, own) = peaks_of_one(&mut kernel, &mut pod)?;
    ensure!(
        parents > least_ns && own == 0,
        "after a restart: {parents} and {own} ns"
    );
    kernel.remove_account(pod.parent.id)?;
    let (parents, own) = peaks_of_one(&mut kernel, &mut pod)?;
    ensure!(
        parents == 0 && own > least_ns,
        "without its owner: {parents} and {own} ns"
    );
    pod.link(&mut kernel)?;
    pod.link(&mut kernel)?;
    let (parents, own) = peaks_of_one(&mut kernel, &mut pod)?;
    ensure!(
        parents > least_ns && own == 0,
        "linked again, twice: {parents} and {own} ns"
    );
    let child = pod.children[0].id;
    ensure!(kernel.charge_windows_to(child, child)?, "the table is full");
    let (_, own) = peaks_of_one(&mut kernel, &mut pod)?;
    ensure!(own > least_ns, "its own owner: {own} ns");
    check_totals(&kernel, &pod)
}

/// Two CPUs that open an account at once can both get a place, when one is given back meanwhile.
fn two_places() -> Result<()> {
    let pins = Pins::new("two-places");
    let mut kernel = Kernel::start(&pins.options()?)?;
    let mut pod = Pod::new("pod")?;
    let child = pod.children[0].id;
    let map = |name: &str| -> Result<_> {
        let layout = format!("layout-{}", agent_common::LAYOUT);
        Ok(sys::open_pin(
            &pins.pins.join(layout).join("maps").join(name),
        )?)
    };
    let (keys, owners) = (map("CPU_KEYS")?, map("CPU_OWNERS")?);
    let cell = |map: &OwnedFd, place: u32| -> Result<u64> {
        sys::look_up(map.as_fd(), &place)?.context("a place beyond the table")
    };
    let mut search = Places::of(stored(child), CPU_ACCOUNTS - 1);
    let mut places = Vec::new();
    while places.len() < 3 {
        let place = search.next();
        match cell(&keys, place)? {
            FREE => sys::update(keys.as_fd(), &place, &stored(child))?,
            key if key != stored(child) => continue,
            _ => {}
        }
        places.push(place);
    }
    pod.link(&mut kernel)?;
    let owners_of =
        || -> Result<Vec<u64>> { places.iter().map(|place| cell(&owners, *place)).collect() };
    let told = owners_of()?;
    ensure!(
        told[0] != OWN && told.iter().all(|owner| *owner == told[0]),
        "the places of one key have different owners: {told:?}"
    );
    let (parents, own) = peaks_of_one(&mut kernel, &mut pod)?;
    ensure!(
        parents > BURST_MS * MS / 2 && own == 0,
        "{parents} and {own} ns"
    );
    check_totals(&kernel, &pod)?;
    // It counts on: a new account may be opened at once, without an owner.
    kernel.remove_account(child)?;
    ensure!(
        owners_of()?.iter().all(|owner| *owner == OWN),
        "places given back have owners"
    );
    Ok(())
}

fn full_table() -> Result<()> {
    let mut few = options()?;
    few.max_accounts = Some(1);
    let mut kernel = Kernel::start(&few)?;
    let pod = Pod::new("pod")?;
    let linked = kernel.charge_windows_to(pod.children[0].id, pod.parent.id)?;
    ensure!(!linked, "two accounts found a place in a table of one");
    Ok(())
}

/// Its parent's account is made the owner before its first task runs.
fn birth_wakes() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    kernel.cgroup_events(drop);
    let begin = Instant::now();
    let maker = thread::spawn(|| {
        // Long enough for the reader to be waiting; it may come late without harm.
        thread::sleep(Duration::from_millis(100));
        TestCgroup::new("born").map(|cgroup| (cgroup, Instant::now()))
    });
    let mut born = Vec::new();
    let mut told = begin;
    while !maker.is_finished() || born.is_empty() {
        ensure!(begin.elapsed() < PATIENCE, "no birth was told");
        kernel.wait(PATIENCE.as_millis() as i32)?;
        kernel.cgroup_events(|event| {
            let ours = |event: &agent::kernel::CgroupEvent| {
                event.kind == CgroupEventKind::Born && event.path.ends_with("-born")
            };
            born.extend(event.ok().filter(ours));
        });
        told = Instant::now();
        if !born.is_empty() {
            break;
        }
    }
    let made = maker.join().ok().context("the maker panicked")??;
    let late = told.saturating_duration_since(made.1);
    measured(
        "time from a cgroup's birth to its reader",
        "500 ms",
        &format!("{} µs", late.as_micros()),
    );
    // Without being woken it would look twice a second.
    ensure!(late < Duration::from_millis(500), "told after {late:?}");
    ensure!(born[0].cgroup_id == made.0.id, "another cgroup was told");
    Ok(())
}
