//! Load with an edge: bursts at a chosen phase, and a run that does not end.
#![expect(
    clippy::print_stdout,
    reason = "a workload tells its parent what it did"
)]

use std::{fmt, io::BufRead as _, thread, time::Duration};

use agent::kernel::sys::run_on;
use anyhow::{Context as _, Result};

use super::{
    clock::{boot_ns, burn, go_first, precise_timers, process_cpu_ns, sleep_until},
    number,
    samples::{Samples, highest},
};

const MS: u64 = 1_000_000;
/// Nothing of what comes before and after a burst may lie in a window with it.
const QUIET_NS: u64 = 200 * MS;
/// Phases repeat after a slot.
const PHASES_NS: u64 = 20 * MS;
const WINDOW_NS: u64 = 100 * MS;
const SAMPLE_EVERY_NS: u64 = 200_000;

/// Threads, each on a CPU of its own, and milliseconds of CPU time for each. For every line of input,
/// which tells the phase in milliseconds, one burst, and what it was like as a line of output.
pub(super) fn bursts(arguments: &[String]) -> Result<()> {
    prepare();
    let (threads, cpu_ns) = (number(arguments, 0)?, number(arguments, 1)? * MS);
    for line in std::io::stdin().lock().lines() {
        let phase_ns = number(&[line?], 0)? * MS;
        let start_ns = (boot_ns() + QUIET_NS).next_multiple_of(PHASES_NS) + phase_ns;
        println!("{}", burst(threads, cpu_ns, start_ns)?);
    }
    Ok(())
}

/// What a burst was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// From its first to its last moment.
    pub wall_ns: u64,
    /// CPU time of all its threads.
    pub cpu_ns: u64,
    /// The most of it in any 80 ms.
    pub in_80_ms: u64,
    /// The most of it in any 100 ms.
    pub in_100_ms: u64,
    /// The longest time for which one of its threads stood still.
    pub stall_ns: u64,
    /// CPU time of its process, from 100 ms before to its last moment, that is not the burst's.
    pub other_ns: u64,
}

impl Burst {
    /// `used_ns` is the CPU time of the process and `late_ns` how late its measurement began.
    fn of(threads: &[Samples], used_ns: u64, late_ns: u64) -> Self {
        let spans = threads.iter().map(Samples::span);
        let (first, last) = spans.fold((u64::MAX, 0), |(first, last), span| {
            (first.min(span.0), last.max(span.1))
        });
        let stalls = threads
            .iter()
            .map(|thread| thread.longest_stall(first, last));
        let cpu_ns = threads.iter().map(Samples::cpu_ns).sum();
        Self {
            wall_ns: last - first,
            cpu_ns,
            in_80_ms: highest(threads, 80 * MS, 0, u64::MAX),
            in_100_ms: highest(threads, WINDOW_NS, 0, u64::MAX),
            stall_ns: stalls.max().unwrap_or(0).max(late_ns),
            other_ns: used_ns.saturating_sub(cpu_ns),
        }
    }

    /// From a line of output.
    pub fn parse(line: &str) -> Result<Self> {
        let fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Ok(Self {
            wall_ns: number(&fields, 0)?,
            cpu_ns: number(&fields, 1)?,
            in_80_ms: number(&fields, 2)?,
            in_100_ms: number(&fields, 3)?,
            stall_ns: number(&fields, 4)?,
            other_ns: number(&fields, 5)?,
        })
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wall_ns,
            cpu_ns,
            in_80_ms,
            in_100_ms,
            stall_ns,
            other_ns,
        } = self;
        write!(
            f,
            "{wall_ns} {cpu_ns} {in_80_ms} {in_100_ms} {stall_ns} {other_ns}"
        )
    }
}

fn burst(threads: u64, cpu_ns: u64, start_ns: u64) -> Result<Burst> {
    let one = move |cpu: u64| {
        // Where that CPU is not ours, the threads share one and the wall time tells it.
        drop(run_on(cpu as usize));
        sleep_until(start_ns);
        let samples = Samples::burn(cpu_ns, SAMPLE_EVERY_NS);
        let used_ns = process_cpu_ns();
        sleep_until(boot_ns() + QUIET_NS);
        (samples, used_ns)
    };
    let running: Vec<_> = (0..threads)
        .map(|cpu| thread::spawn(move || one(cpu)))
        .collect();
    let before_ns = start_ns - WINDOW_NS;
    sleep_until(before_ns);
    let (late_ns, used_before_ns) = (boot_ns() - before_ns, process_cpu_ns());
    let ended = running.into_iter().map(|thread| thread.join().ok());
    let ended: Vec<_> = ended.collect::<Option<_>>().context("a thread panicked")?;
    let (samples, used): (Vec<_>, Vec<_>) = ended.into_iter().unzip();
    let used_ns = used.into_iter().max().unwrap_or(0) - used_before_ns;
    Ok(Burst::of(&samples, used_ns, late_ns))
}

/// For every line of input, which tells milliseconds of CPU time, one burst; nothing else.
pub(super) fn silent(_: &[String]) -> Result<()> {
    prepare();
    for line in std::io::stdin().lock().lines() {
        burn(Duration::from_millis(number(&[line?], 0)?));
    }
    Ok(())
}

/// Milliseconds of CPU time in one go; prints its samples.
pub(super) fn steady(arguments: &[String]) -> Result<()> {
    prepare();
    println!("{}", Samples::burn(number(arguments, 0)? * MS, 2 * MS));
    Ok(())
}

/// Without these rights, more bursts are stretched and fewer count.
fn prepare() {
    drop((go_first(), precise_timers()));
}
