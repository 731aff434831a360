//! Each way in which a process becomes the victim of a memory limit, told by the parent that waits
//! for it: it gets the victim's end and peak memory from the kernel by another road than ours.
#![expect(
    clippy::print_stdout,
    reason = "a workload tells its parent what it did"
)]

use std::{
    fmt, fs,
    io::{Read as _, Write as _, pipe},
    thread,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    ending,
    hold::{take, take_until_killed},
    limit::enter,
};
use crate::{
    cgroup::write,
    load::{
        clock::{Ended, exit_now, exit_thread, fork, wait},
        number,
    },
};

/// Name of every victim.
pub const NAME: &str = "oom-victim";
/// Name of a victim's further threads.
const THREAD_NAME: &str = "oom-thread";
const MIB: u64 = 1024 * 1024;

/// A process that ended, by its parent's knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Process id.
    pub pid: u32,
    /// Wait status.
    pub status: i32,
    /// Peak resident memory.
    pub peak_rss_bytes: u64,
    /// Process whose allocation was one too many.
    pub allocator_pid: u32,
}

impl Victim {
    fn new(ended: Ended, allocator_pid: u32) -> Self {
        Self {
            pid: ended.pid,
            status: ended.status,
            peak_rss_bytes: ended.peak_rss_bytes,
            allocator_pid,
        }
    }

    /// From lines of output.
    pub fn parse_all(lines: &str) -> Result<Vec<Self>> {
        lines.lines().map(Self::parse).collect()
    }

    fn parse(line: &str) -> Result<Self> {
        let fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Ok(Self {
            pid: number(&fields, 0)?.try_into()?,
            status: number(&fields, 1)?.try_into()?,
            peak_rss_bytes: number(&fields, 2)?,
            allocator_pid: number(&fields, 3)?.try_into()?,
        })
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            status,
            peak_rss_bytes,
            allocator_pid,
        } = self;
        write!(f, "{pid} {status} {peak_rss_bytes} {allocator_pid}")
    }
}

/// The cgroups, as in all of these, and how many children die one after the other.
pub(super) fn children(arguments: &[String]) -> Result<()> {
    enter(directories(arguments)?)?;
    for _ in 0..number(arguments, 1)? {
        // After a fork the parent needs pages of its own, too: the child waits until it has them.
        let (mut gate, mut open) = pipe()?;
        let pid = child(|| {
            become_victim()?;
            gate.read_exact(&mut [0])?;
            take_until_killed();
            Ok(())
        })?;
        open.write_all(&[0])?;
        println!("{}", Victim::new(wait(Some(pid))?, pid));
    }
    Ok(())
}

/// MiB that the victim holds, MiB that the other process takes, and the victim's own cgroup.
pub(super) fn bystander(arguments: &[String]) -> Result<()> {
    enter(directories(arguments)?)?;
    let (held, taken) = (number(arguments, 1)? * MIB, number(arguments, 2)? * MIB);
    let own = arguments.get(3).context("the victim's cgroup is missing")?;
    let victim = holding_child(own, held)?;
    let allocator = child(|| {
        drop(take(taken));
        Ok(())
    })?;
    let ended = wait(Some(victim))?;
    ensure!(wait(Some(allocator))?.status == 0, "the allocator died too");
    println!("{}", Victim::new(ended, allocator));
    Ok(())
}

/// Threads that take memory after the first thread of their process has ended.
pub(super) fn threads_without_leader(arguments: &[String]) -> Result<()> {
    enter(directories(arguments)?)?;
    let threads = number(arguments, 1)?;
    let pid = child(|| {
        become_victim()?;
        for _ in 0..threads {
            thread::Builder::new()
                .name(THREAD_NAME.to_owned())
                .spawn(take_when_alone)?;
        }
        exit_thread()
    })?;
    println!("{}", Victim::new(wait(Some(pid))?, pid));
    Ok(())
}

fn take_when_alone() {
    let leader = format!("/proc/self/task/{}/stat", std::process::id());
    while fs::read_to_string(&leader).is_ok_and(|stat| !stat.contains(") Z ")) {
        thread::yield_now();
    }
    take_until_killed();
}

/// Number of processes in the cgroup, the last of which takes too much. This one stays outside.
pub(super) fn group(arguments: &[String]) -> Result<()> {
    let mut pids = Vec::new();
    for _ in 1..number(arguments, 1)? {
        pids.push(holding_child(directories(arguments)?, MIB)?);
    }
    let allocator = child(|| {
        enter(directories(arguments)?)?;
        become_victim()?;
        take_until_killed();
        Ok(())
    })?;
    pids.push(allocator);
    for pid in pids {
        println!("{}", Victim::new(wait(Some(pid))?, allocator));
    }
    Ok(())
}

/// MiB that the victim holds while it is ending, and MiB that another process takes then. Says so
/// when it has got them, and lets the victim end for a line of input.
pub(super) fn already_ending(arguments: &[String]) -> Result<()> {
    enter(directories(arguments)?)?;
    let (held, taken) = (number(arguments, 1)? * MIB, number(arguments, 2)? * MIB);
    let victim = child(|| {
        become_victim()?;
        let memory = take(held);
        ending::stop_when_ending()?;
        std::hint::black_box(&memory);
        exit_now(7)
    })?;
    ending::await_ending(victim)?;
    let allocator = child(|| {
        drop(take(taken));
        Ok(())
    })?;
    ensure!(wait(Some(allocator))?.status == 0, "the allocator died");
    println!("{victim}");
    std::io::stdin().read_line(&mut String::new())?;
    ending::let_end(victim)?;
    println!("{}", Victim::new(wait(Some(victim))?, allocator));
    Ok(())
}

/// MiB that a process holds until it is killed by whoever. Tells its id first.
pub(super) fn sitting(arguments: &[String]) -> Result<()> {
    let victim = holding_child(directories(arguments)?, number(arguments, 1)? * MIB)?;
    println!("{victim}");
    println!("{}", Victim::new(wait(Some(victim))?, 0));
    Ok(())
}

fn directories(arguments: &[String]) -> Result<&str> {
    Ok(arguments.first().context("the cgroups are missing")?)
}

/// The kernel chooses a process that asks for it, and knows it by name.
fn become_victim() -> Result<()> {
    write("/proc/self/oom_score_adj".as_ref(), "1000")?;
    write("/proc/self/comm".as_ref(), NAME)
}

/// A victim in these cgroups that holds memory by the time this returns.
fn holding_child(directories: &str, bytes: u64) -> Result<u32> {
    let (mut ready, mut tell) = pipe()?;
    let pid = child(|| {
        enter(directories)?;
        become_victim()?;
        let memory = take(bytes);
        tell.write_all(&[0])?;
        loop {
            thread::park();
            std::hint::black_box(&memory);
        }
    })?;
    drop(tell);
    ready
        .read_exact(&mut [0])
        .context("a child did not come up")?;
    Ok(pid)
}

/// A forked process that does `work`.
fn child(work: impl FnOnce() -> Result<()>) -> Result<u32> {
    let pid = fork()?;
    if pid == 0 {
        exit_now(i32::from(work().is_err()));
    }
    Ok(pid)
}
