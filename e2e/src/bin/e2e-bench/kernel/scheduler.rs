//! The CPU program by run statistics beside an empty one on the same tracepoint and the same
//! events, and what scheduler tools do beside an empty one on theirs. Kernels offer no test run
//! for tracepoints.

use std::{
    io::{PipeReader, PipeWriter, Read as _, Write as _},
    thread,
};

use agent::kernel::{Kernel, Source, sys};
use anyhow::{Context as _, Result};
use e2e::{
    cgroup::TestCgroup,
    process::{Running, Workload},
};

use super::{
    comparators::Comparators,
    options,
    statistics::{Runs, Statistics, id_of, ns_each},
    tools,
};
use crate::numbers::median;

pub(super) const WORKLOAD: Workload = ("ping_pong", ping_pong);

const ROUNDS: usize = 15;
const EXCHANGES: u32 = 60_000;
const CPU: usize = 1;

/// Nanoseconds over an empty program at the same tracepoint.
pub(super) struct Scheduler {
    pub(super) cpu_event: f64,
    pub(super) bcc_event: f64,
    /// Events of ours for each switch.
    pub(super) events_per_switch: f64,
    /// The installed tools, by name.
    pub(super) tools: Vec<(&'static str, Result<f64>)>,
}

pub(super) fn measure() -> Result<Scheduler> {
    let cgroup = TestCgroup::new("ping-pong")?;
    let kernel = Kernel::start(&options(&[Source::Cpu])?)?;
    let mut comparators = Comparators::load()?;
    let empty_switch = comparators.attach_tracepoint("empty_switch", "sched_switch")?;
    let ids = [
        id_of(&kernel, "cpu_runtime")?,
        comparators.attach_tracepoint("empty_runtime", "sched_stat_runtime")?,
        comparators.attach_tracepoint("bcc_switch", "sched_switch")?,
        empty_switch,
    ];
    let _statistics = Statistics::on()?;
    let mut tasks = Running::start(&cgroup, None, WORKLOAD.0, &[])?;
    let before = [Runs::of(ids[0])?, Runs::of(ids[3])?];
    let (mut ours, mut bcc) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let each = ns_each(ids, || exchange(&mut tasks))?;
        ours.push(each[0] - each[1]);
        bcc.push(each[2] - each[3]);
    }
    let events = Runs::of(ids[0])?.count - before[0].count;
    let switches = Runs::of(ids[3])?.count - before[1].count;
    drop(kernel);
    let tools = tools::measure(empty_switch, || exchange(&mut tasks));
    tasks.finish()?;
    Ok(Scheduler {
        cpu_event: median(ours),
        bcc_event: median(bcc),
        events_per_switch: events as f64 / switches as f64,
        tools,
    })
}

fn exchange(tasks: &mut Running) -> Result<()> {
    tasks.tell("exchange")?;
    tasks.line().map(drop)
}

/// Two threads on one CPU hand a byte to and fro, [`EXCHANGES`] times at each line of input.
fn ping_pong(_: &[String]) -> Result<()> {
    sys::run_on(CPU).context("moving to one CPU")?;
    let (mut here, there_out) = std::io::pipe()?;
    let (there, mut here_out) = std::io::pipe()?;
    let echo = thread::spawn(move || echo(there, there_out));
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line)? > 0 {
        for _ in 0..EXCHANGES {
            here_out.write_all(&[1])?;
            here.read_exact(&mut [0])?;
        }
        crate::print("exchanged")?;
    }
    drop(here_out);
    drop(echo.join());
    Ok(())
}

fn echo(mut from: PipeReader, mut to: PipeWriter) {
    let mut byte = [0];
    while from.read_exact(&mut byte).is_ok() && to.write_all(&byte).is_ok() {}
}
