//! CPU load as workloads, each of which knows by the clocks of its own threads what it used.

pub mod bursts;
pub mod clock;
pub mod jobs;
mod queue;
pub mod samples;
mod shapes;

use anyhow::{Context as _, Result};

use crate::process::Workload;

/// All of them. Arguments are whole numbers, see each.
pub const WORKLOADS: &[Workload] = &[
    ("busy", shapes::busy),
    ("forks", shapes::forks),
    ("wakeups", shapes::wakeups),
    ("pingpong", shapes::pingpong),
    ("realtime", shapes::realtime),
    ("bursts", bursts::bursts),
    ("silent", bursts::silent),
    ("steady", bursts::steady),
    ("jobs", jobs::jobs),
    ("queue-sender", queue::queue_sender),
    ("queue-receiver", queue::queue_receiver),
];

/// Argument number `index`, a whole number.
pub(crate) fn number(arguments: &[String], index: usize) -> Result<u64> {
    let argument = arguments.get(index).context("an argument is missing")?;
    argument
        .parse()
        .with_context(|| format!("`{argument}` is no number"))
}
