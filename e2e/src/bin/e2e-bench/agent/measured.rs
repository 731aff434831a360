//! The figures, each from a process's own counters or from the clock.

use std::{
    fmt,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use e2e::fakes::{KubeletFault, Times};
use serde::Serialize;
use serde_json::Value;

use super::{Args, process::Measured, stage::Stage};
use crate::{
    kernel::Statistics,
    numbers::{mib, rounded},
};

/// Windows before the measurement: connections, first lists, growth of buffers.
const WARM_UP: u32 = 2;
/// Windows under fault are short: what counts is the memory.
const FAULT_INTERVAL: Duration = Duration::from_secs(1);
const FAULTS: [KubeletFault; 9] = [
    KubeletFault::Hang,
    KubeletFault::Endless,
    KubeletFault::Deep,
    KubeletFault::TruncatedJson,
    KubeletFault::Cut,
    KubeletFault::Html,
    KubeletFault::WrongTypes,
    KubeletFault::Forbidden,
    KubeletFault::CloseAfterwards,
];

/// One number for each published bound, and those that explain them.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) rss_mib: f64,
    pub(super) rss_peak_mib: f64,
    pub(super) rss_fault_peak_mib: f64,
    pub(super) millicores: f64,
    pub(super) cpu_ms_per_window: f64,
    pub(super) bpf_ms_per_window: f64,
    pub(super) window_ms_p99: f64,
    pub(super) start_ms: f64,
    pub(super) pods: u32,
    windows: u32,
    kubelet_requests_per_window: f64,
    pub(super) kubelet_most_in_flight: usize,
    collector_rss_mib: Option<f64>,
    collector_cpu_ms_per_window: Option<f64>,
    pub(super) cpu_times_better: Option<f64>,
    pub(super) memory_times_better: Option<f64>,
}

/// What a process used over the measured windows.
struct Use {
    rss: u64,
    peak: u64,
    cpu_ns: u64,
}

pub(super) fn measure(args: &Args) -> Result<Figures> {
    let stage = Stage::new(args.pods as usize)?;
    stage.visit()?;
    let address = free_address()?;
    let mut agent = Measured::start(stage.agent(args.interval, &address.to_string())?)?;
    let first = agent
        .lines
        .recv_timeout(Duration::from_secs(20))
        .context("no first row")?;
    let start = first.at.duration_since(agent.started);
    let _statistics = Statistics::on()?;
    settle(&stage, &mut agent, args.interval * WARM_UP)?;
    let late: Vec<f64> = delays(&agent);
    ensure!(!late.is_empty(), "no window came in {WARM_UP} windows");
    let (bpf_before, asked_before) = (bpf_ns(address)?, stage.node.kubelet.journal().count());
    let used = over(&stage, &mut agent, args)?;
    let bpf = bpf_ns(address)?.saturating_sub(bpf_before);
    let asked = stage.node.kubelet.journal().count() - asked_before;
    let late = delays(&agent);
    ensure!(
        late.len() + 1 >= args.windows as usize,
        "only {} windows came",
        late.len()
    );
    drop(agent);
    let most_in_flight = stage.node.kubelet.journal().most_in_flight();
    let collector = stage.collector(args);
    let collector = collector
        .map(|command| beside(&stage, command, args))
        .transpose()?;
    let windows = f64::from(args.windows);
    let per_window = |ns: u64| ns as f64 / 1e6 / windows;
    let times = |theirs: f64, ours: f64| rounded(theirs / ours);
    Ok(Figures {
        rss_mib: rounded(mib(used.rss)),
        rss_peak_mib: rounded(mib(used.peak)),
        rss_fault_peak_mib: rounded(mib(under_fault(&stage)?)),
        millicores: rounded(used.cpu_ns as f64 / 1e6 / (args.interval.as_secs_f64() * windows)),
        cpu_ms_per_window: rounded(per_window(used.cpu_ns)),
        bpf_ms_per_window: rounded(per_window(bpf)),
        window_ms_p99: rounded(late.iter().copied().fold(0.0, f64::max)),
        start_ms: rounded(start.as_secs_f64() * 1e3),
        pods: args.pods,
        windows: args.windows,
        kubelet_requests_per_window: rounded(asked as f64 / windows),
        kubelet_most_in_flight: most_in_flight,
        collector_rss_mib: collector.as_ref().map(|theirs| rounded(mib(theirs.rss))),
        collector_cpu_ms_per_window: collector
            .as_ref()
            .map(|theirs| rounded(per_window(theirs.cpu_ns))),
        cpu_times_better: collector
            .as_ref()
            .map(|theirs| times(theirs.cpu_ns as f64, used.cpu_ns as f64)),
        memory_times_better: collector
            .as_ref()
            .map(|theirs| times(theirs.rss as f64, used.rss as f64)),
    })
}

/// Lets windows pass while every container runs a little in each.
fn settle(stage: &Stage, process: &mut Measured, length: Duration) -> Result<()> {
    let end = Instant::now() + length;
    while Instant::now() < end {
        stage.visit()?;
        process.is_running()?;
        let step = end.saturating_duration_since(Instant::now());
        thread::sleep(step.min(Duration::from_secs(5)));
    }
    Ok(())
}

fn over(stage: &Stage, process: &mut Measured, args: &Args) -> Result<Use> {
    let before = process.cpu_ns()?;
    settle(stage, process, args.interval * args.windows)?;
    Ok(Use {
        cpu_ns: process.cpu_ns()? - before,
        rss: process.memory_bytes("VmRSS")?,
        peak: process.memory_bytes("VmHWM")?,
    })
}

/// The plain collector over as many windows.
fn beside(stage: &Stage, command: Command, args: &Args) -> Result<Use> {
    let mut collector = Measured::start(command)?;
    settle(stage, &mut collector, args.interval)?;
    over(stage, &mut collector, args)
}

/// Milliseconds from the end of each window that came to its last row.
fn delays(agent: &Measured) -> Vec<f64> {
    let mut late = Vec::new();
    while let Ok(line) = agent.lines.try_recv() {
        if !line.text.starts_with("{\"table\":\"reconcile\"") {
            continue;
        }
        let end = serde_json::from_str::<Value>(&line.text)
            .ok()
            .and_then(|row| humantime::parse_rfc3339(row["window_end"].as_str()?).ok());
        let since = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64()
        };
        late.extend(end.map(|end| (since(line.wall) - since(end)) * 1e3));
    }
    late
}

/// Highest memory with a kubelet that misbehaves in every way, two windows each.
fn under_fault(stage: &Stage) -> Result<u64> {
    let address = free_address()?;
    let mut agent = Measured::start(stage.agent(FAULT_INTERVAL, &address.to_string())?)?;
    agent
        .lines
        .recv_timeout(Duration::from_secs(20))
        .context("no first row")?;
    for fault in FAULTS {
        stage.node.kubelet.fail(fault, Times::Always);
        thread::sleep(FAULT_INTERVAL * 2);
        stage.node.kubelet.heal();
        stage.node.kubelet.close_connections();
        thread::sleep(FAULT_INTERVAL);
        agent.is_running()?;
    }
    agent.memory_bytes("VmHWM")
}

/// Run time of the agent's kernel programs so far, as its own status server tells.
fn bpf_ns(address: SocketAddr) -> Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let seconds: f64 = text
        .lines()
        .filter(|line| line.starts_with("podledger_agent_bpf_run_seconds_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    Ok((seconds * 1e9) as u64)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "agent of a node, {} pods of 2 containers, {} windows",
            self.pods, self.windows
        )?;
        writeln!(
            out,
            "  CPU     {} ms a window = {} millicores, and {} ms in the kernel programs",
            self.cpu_ms_per_window, self.millicores, self.bpf_ms_per_window
        )?;
        writeln!(
            out,
            "  memory  {} MiB, {} at its highest, {} with a kubelet that misbehaves",
            self.rss_mib, self.rss_peak_mib, self.rss_fault_peak_mib
        )?;
        writeln!(
            out,
            "  time    first row {} ms after the start, rows at most {} ms after a window's end",
            self.start_ms, self.window_ms_p99
        )?;
        write!(
            out,
            "  kubelet {} requests a window, at most {} at once",
            self.kubelet_requests_per_window, self.kubelet_most_in_flight
        )?;
        if let (Some(cpu), Some(rss)) = (self.collector_cpu_ms_per_window, self.collector_rss_mib) {
            write!(
                out,
                "\n  beside  a plain collector takes {cpu} ms a window and {rss} MiB"
            )?;
        }
        if let (Some(cpu), Some(memory)) = (self.cpu_times_better, self.memory_times_better) {
            write!(out, ": {cpu} times the CPU, {memory} times the memory")?;
        }
        Ok(())
    }
}
