//! The shapes of load in which ways to account CPU time differ.
#![expect(
    clippy::print_stdout,
    reason = "a workload tells its parent what it did"
)]

use std::{
    io::{Read as _, Write as _, pipe},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    clock::{become_realtime, boot_ns, burn, exit_now, fork, precise_timers, sleep_until, wait},
    number,
};

/// Forked processes that run at the same time.
const FORKS_AT_ONCE: u64 = 8;
/// What each of them burns.
const FORK_BURNS: Duration = Duration::from_micros(300);

/// Threads, and milliseconds of CPU time for each.
pub(super) fn busy(arguments: &[String]) -> Result<()> {
    let cpu = Duration::from_millis(number(arguments, 1)?);
    let threads: Vec<_> = (0..number(arguments, 0)?)
        .map(|_| thread::spawn(move || burn(cpu)))
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    }
    Ok(())
}

/// Number of processes that are forked, burn a little and end.
pub(super) fn forks(arguments: &[String]) -> Result<()> {
    for number in 0..number(arguments, 0)? {
        if number >= FORKS_AT_ONCE {
            wait(None)?;
        }
        if fork()? == 0 {
            burn(FORK_BURNS);
            exit_now(0);
        }
    }
    while wait(None).is_ok() {}
    Ok(())
}

/// Wake-ups in each second, and milliseconds in all.
pub(super) fn wakeups(arguments: &[String]) -> Result<()> {
    precise_timers()?;
    let period_ns = 1_000_000_000 / number(arguments, 0)?;
    let start = boot_ns();
    let end = start + number(arguments, 1)? * 1_000_000;
    let (mut next, mut count) = (start, 0_u64);
    while next < end {
        // One that comes late is not made up for.
        next = (next + period_ns).max(boot_ns());
        sleep_until(next);
        count += 1;
    }
    println!("{}", count * 1_000_000_000 / (boot_ns() - start));
    Ok(())
}

/// Milliseconds for which two processes hand a byte to and fro.
pub(super) fn pingpong(arguments: &[String]) -> Result<()> {
    let (mut ping, mut to_child) = pipe()?;
    let (mut pong, mut to_parent) = pipe()?;
    let mut byte = [0];
    if fork()? == 0 {
        drop(to_child);
        while matches!(ping.read(&mut byte), Ok(1)) {
            to_parent.write_all(&byte)?;
        }
        exit_now(0);
    }
    let (start, length) = (Instant::now(), Duration::from_millis(number(arguments, 0)?));
    while start.elapsed() < length {
        to_child.write_all(&byte)?;
        pong.read_exact(&mut byte)?;
    }
    drop(to_child);
    wait(None)?;
    Ok(())
}

/// Milliseconds of CPU time of a realtime thread; prints whether it was allowed to be one.
pub(super) fn realtime(arguments: &[String]) -> Result<()> {
    println!("{}", become_realtime().is_ok());
    burn(Duration::from_millis(number(arguments, 0)?));
    Ok(())
}
