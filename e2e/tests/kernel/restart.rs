//! The agent killed, replaced and removed while workloads run: nothing lost, nothing twice.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use agent::{
    host::{Host, Settings, output},
    kernel::{self, Kernel, Options, PROGRAMS, Snapshot},
    run::{self, Schedule},
};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, say},
    process::{Running, Workload},
};
use serde_json::Value;

use crate::basics::options;

/// Window of the agents in these tests.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long an agent may take from its start to its first row, on an emulated CPU too.
const PATIENCE: Duration = Duration::from_secs(60);
/// CPU time in rows against `cpu.stat`.
const CPU_TOLERANCE: f64 = 0.001;

pub(crate) const WORKLOADS: &[Workload] = &[("agent", agent_workload), ("mixed", mixed)];
pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "restart_kill_9_loses_nothing",
        needs: &[],
        run: kill_9,
    },
    Test {
        name: "restart_upgrade_under_load_is_exact",
        needs: &[],
        run: upgrade,
    },
    Test {
        name: "restart_other_layout_is_a_gap",
        needs: &[],
        run: other_layout,
    },
    Test {
        name: "restart_other_shape_is_a_gap",
        needs: &[],
        run: other_shape,
    },
    Test {
        name: "restart_second_agent_is_refused",
        needs: &[],
        run: second_agent,
    },
    Test {
        name: "restart_uninstall_leaves_nothing",
        needs: &[],
        run: uninstall,
    },
];

/// Pins and state of a test's own, removed with it.
pub(crate) struct Places {
    pub(crate) pins: PathBuf,
    state: PathBuf,
}

impl Places {
    pub(crate) fn new(label: &str) -> Self {
        let name = format!("podledger-test-{}-{label}", std::process::id());
        Self {
            pins: Path::new("/sys/fs/bpf").join(&name),
            state: std::env::temp_dir().join(name),
        }
    }

    pub(crate) fn options(&self) -> Result<Options> {
        let mut options = options()?;
        options.pins = Some(self.pins.clone());
        Ok(options)
    }

    fn start_agent(&self, cgroup: &TestCgroup) -> Result<Running> {
        let (pins, state) = (
            self.pins.display().to_string(),
            self.state.display().to_string(),
        );
        Running::start(cgroup, None, "agent", &[&pins, &state])
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        if let Err(error) = kernel::uninstall(&self.pins) {
            say(&format!("warning: {error:#}"));
        }
        drop(fs::remove_dir_all(&self.state));
    }
}

/// The agent as a process: rows as JSON on standard output until it is killed.
fn agent_workload(arguments: &[String]) -> Result<()> {
    let [pins, state] = arguments else {
        anyhow::bail!("usage: agent PINS STATE")
    };
    let mut kernel = options()?;
    kernel.pins = Some(pins.into());
    let settings = Settings::new(kernel, Some(state.into()));
    let mut host = Host::start(settings, say)?;
    let mut stdout = std::io::stdout().lock();
    let never = Arc::new(AtomicBool::new(false));
    let schedule = Schedule::new(INTERVAL, None, &never);
    Ok(run::on_host(&mut host, schedule, None, |rows| {
        output::write_json(&mut stdout, rows)
    })?)
}

/// Burns CPU and sends datagrams to itself until its input ends; then says how many.
fn mixed(_: &[String]) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    std::thread::spawn(move || {
        let mut line = String::new();
        drop(std::io::stdin().read_line(&mut line));
        flag.store(true, Ordering::Relaxed);
    });
    let mut sent = 0_u64;
    let mut buffer = [0; 64];
    while !ended.load(Ordering::Relaxed) {
        // Each datagram is received before the next: none is dropped for want of buffer.
        socket.send_to(&[7; 32], address)?;
        socket.recv(&mut buffer)?;
        sent += 1;
        (0..500).for_each(|_| std::hint::spin_loop());
    }
    writeln!(std::io::stdout(), "{sent}")?;
    Ok(())
}

/// One `pod_usage` row's figures.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    cpu_seconds: f64,
    tx_packets: i64,
    rx_packets: i64,
}

/// Sums the rows of `path`. A row that an agent wrote but did not live to note is written again by
/// the next one, from the same start: the later one counts.
fn sum_rows(rows: &[Value], path: &str) -> Result<Figures> {
    let mut by_start: BTreeMap<String, Figures> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row["table"] == "pod_usage" && row["pod_id"] == path)
    {
        let figures = Figures {
            cpu_seconds: row["cpu_seconds"].as_f64().context("a row without CPU")?,
            tx_packets: row["net_tx_packets_delta"]
                .as_i64()
                .context("a row without packets")?,
            rx_packets: row["net_rx_packets_delta"]
                .as_i64()
                .context("a row without packets")?,
        };
        ensure!(
            figures.cpu_seconds >= 0.0 && figures.tx_packets >= 0,
            "negative: {row}"
        );
        by_start.insert(row["window_start"].to_string(), figures);
    }
    Ok(by_start
        .values()
        .fold(Figures::default(), |sum, row| Figures {
            cpu_seconds: sum.cpu_seconds + row.cpu_seconds,
            tx_packets: sum.tx_packets + row.tx_packets,
            rx_packets: sum.rx_packets + row.rx_packets,
        }))
}

/// Reads rows until `enough`; those read.
fn read_rows(agent: &mut Running, enough: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
    let deadline = Instant::now() + PATIENCE;
    let mut rows = Vec::new();
    while !enough(&rows) {
        ensure!(
            Instant::now() < deadline,
            "the agent's rows never came to that"
        );
        rows.push(serde_json::from_str(&agent.line()?).context("a row that is no JSON")?);
    }
    Ok(rows)
}

fn windows(rows: &[Value]) -> usize {
    rows.iter()
        .filter(|row| row["table"] == "reconcile")
        .count()
}

/// Rows that were printed whole.
fn complete_rows(text: &str) -> Result<Vec<Value>> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).context("a row that is no JSON"))
        .collect()
}

/// A workload that ends and is removed at once: its path, packets and CPU time.
fn short_life(number: u32) -> Result<(String, i64, u64)> {
    let cgroup = TestCgroup::new(&format!("short-{number}"))?;
    let mut load = Running::start(&cgroup, None, "mixed", &[])?;
    load.tell("end")?;
    let sent = load.finish()?.parse()?;
    let cpu_ns = cgroup.usage_ns()?;
    cgroup.remove()?;
    Ok((cgroup.path.clone(), sent, cpu_ns))
}

fn check_rows(rows: &[Value], path: &str, sent: i64, cpu_ns: u64) -> Result<()> {
    let sum = sum_rows(rows, path)?;
    let truth = cpu_ns as f64 / 1e9;
    ensure!(
        (sum.tx_packets, sum.rx_packets) == (sent, sent),
        "{path}: {sum:?}, {sent} were sent"
    );
    // `cpu.stat` is read in whole microseconds.
    let bound = truth * CPU_TOLERANCE + 2e-6;
    ensure!(
        (sum.cpu_seconds - truth).abs() <= bound,
        "{path}: {sum:?}, cpu.stat {truth}"
    );
    Ok(())
}

/// Agents killed while they count.
const KILLS: u32 = 5;

fn kill_9() -> Result<()> {
    let places = Places::new("kill");
    let (work, agents) = (TestCgroup::new("work")?, TestCgroup::new("agents")?);
    let mut rows = Vec::new();
    // The first agent counts before the work begins.
    let mut agent = places.start_agent(&agents)?;
    rows.extend(read_rows(&mut agent, |rows| windows(rows) >= 1)?);
    let mut load = Running::start(&work, None, "mixed", &[])?;
    let mut truths = Vec::new();
    for kill in 0..KILLS {
        rows.extend(read_rows(&mut agent, |rows| windows(rows) >= 2)?);
        // Gone before, around or after the kill.
        truths.push(short_life(kill)?);
        rows.extend(complete_rows(&agent.kill()?)?);
        truths.push(short_life(kill)?);
        agent = places.start_agent(&agents)?;
    }
    load.tell("end")?;
    let sent = load.finish()?.parse()?;
    truths.push((work.path.clone(), sent, work.usage_ns()?));
    // Later windows hold the rest.
    rows.extend(read_rows(&mut agent, |rows| windows(rows) >= 3)?);
    for (path, sent, cpu_ns) in truths {
        check_rows(&rows, &path, sent, cpu_ns)?;
    }
    ensure!(
        !rows.iter().any(|row| row["kind"] == "gap"),
        "a gap was told"
    );
    Ok(())
}

/// Swaps of the programs while packets and run time are counted.
const SWAPS: u32 = 10;

fn upgrade() -> Result<()> {
    let places = Places::new("upgrade");
    let work = TestCgroup::new("work")?;
    let first = Kernel::start(&places.options()?)?;
    ensure!(!first.took_over(), "new pins were taken for old ones");
    drop(first);
    let mut load = Running::start(&work, None, "mixed", &[])?;
    for _ in 0..SWAPS {
        let kernel = Kernel::start(&places.options()?)?;
        ensure!(
            kernel.took_over() && kernel.gap().is_none(),
            "the counters began anew"
        );
    }
    load.tell("end")?;
    let sent: u64 = load.finish()?.parse()?;
    let snapshot = Kernel::start(&places.options()?)?.read()?;
    ensure!(
        packets(&snapshot, work.id) == (sent, sent),
        "{:?}, {sent} were sent",
        packets(&snapshot, work.id)
    );
    let (counted, truth) = (
        snapshot.cpu[&work.id].run_ns as f64,
        work.usage_ns()? as f64,
    );
    ensure!(
        (counted - truth).abs() <= truth * CPU_TOLERANCE,
        "{counted} ns, cpu.stat {truth} ns"
    );
    Ok(())
}

pub(crate) fn packets(snapshot: &Snapshot, id: u64) -> (u64, u64) {
    let classes = snapshot.network.get(&id).copied().unwrap_or_default();
    classes.iter().fold((0, 0), |sum, class| {
        (sum.0 + class.tx_packets, sum.1 + class.rx_packets)
    })
}

fn other_layout() -> Result<()> {
    let places = Places::new("layout");
    drop(Kernel::start(&places.options()?)?);
    let current = places.pins.join(format!("layout-{}", agent_common::LAYOUT));
    fs::rename(&current, places.pins.join("layout-0")).context("making pins of another layout")?;
    let kernel = Kernel::start(&places.options()?)?;
    let gap = kernel.gap().context("no gap was told")?;
    ensure!(gap.reason.contains("layout-0"), "{gap:?}");
    ensure!(
        !places.pins.join("layout-0").exists(),
        "the old pins are still there"
    );
    ensure!(
        !kernel.took_over(),
        "counters of another layout were taken over"
    );
    Ok(())
}

fn other_shape() -> Result<()> {
    let places = Places::new("shape");
    let mut small = places.options()?;
    small.max_accounts = Some(16);
    drop(Kernel::start(&small)?);
    small.max_accounts = Some(32);
    let kernel = Kernel::start(&small)?;
    let gap = kernel.gap().context("no gap was told")?;
    ensure!(gap.reason.contains("another shape"), "{gap:?}");
    Ok(())
}

fn second_agent() -> Result<()> {
    let places = Places::new("second");
    let first = Kernel::start(&places.options()?)?;
    let error = Kernel::start(&places.options()?)
        .err()
        .context("a second agent was let in")?;
    ensure!(
        error.to_string().contains("another podledger-agent"),
        "{error}"
    );
    drop(first);
    Ok(())
}

/// How many of our programs the kernel holds.
fn programs_loaded() -> usize {
    aya::programs::loaded_programs()
        .filter_map(Result::ok)
        .filter(|info| {
            PROGRAMS
                .iter()
                .any(|program| info.name_as_str() == Some(program.name))
        })
        .count()
}

fn uninstall() -> Result<()> {
    let before = programs_loaded();
    let places = Places::new("uninstall");
    drop(Kernel::start(&places.options()?)?);
    ensure!(
        programs_loaded() > before,
        "nothing counts after the agent's end"
    );
    ensure!(
        kernel::uninstall(&places.pins)?,
        "there was nothing to remove"
    );
    ensure!(!places.pins.exists(), "pins are left");
    // The kernel frees programs after a grace period.
    let deadline = Instant::now() + PATIENCE;
    while programs_loaded() > before {
        ensure!(
            Instant::now() < deadline,
            "{} programs are left",
            programs_loaded() - before
        );
        std::thread::yield_now();
    }
    ensure!(
        !kernel::uninstall(&places.pins)?,
        "something was removed twice"
    );
    Ok(())
}
