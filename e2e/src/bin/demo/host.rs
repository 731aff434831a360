//! The first part: the agent of a plain host.

use std::{
    io::Write,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use agent::{
    cgroups,
    host::{Host, Settings},
    kernel::Options,
    run::{self, Schedule},
};
use anyhow::{Context as _, Result};
use e2e::harness::say;

use crate::{
    CLOSING_PATIENCE, INTERVAL, Show, ledger::Ledger, loads::Loads, summary::Summary,
    verdicts::Verdicts,
};

/// Runs it and tells its summary; whether that agrees.
pub(crate) fn run(
    length: Duration,
    stop: &Arc<AtomicBool>,
    mut show: Show,
    ledger: &mut Ledger,
    told: &mut impl Write,
) -> Result<bool> {
    let root = cgroups::find_root().context("no cgroup2 file system is mounted")?;
    let mut kernel = Options::new(root);
    // Nothing outlives the demo.
    kernel.pins = None;
    let mut host = Host::start(Settings::new(kernel, None), say)?;
    let mut shipping = ledger.shipping(&mut host)?;
    let mut summary = Summary::default();
    let loads = Loads::start()?;
    let deadline = Instant::now() + length;
    let shown = run::on_host(
        &mut host,
        Schedule::new(INTERVAL, Some(deadline), stop),
        Some(&mut shipping),
        |rows| {
            ledger.count(rows);
            summary.add(rows);
            show.window(rows)
        },
    );
    // Whatever went wrong, no workload of ours stays behind.
    let truth = loads.finish()?;
    shown?;
    // The rows of what was ended just now come in either case, stopped or not.
    let closing = Instant::now() + CLOSING_PATIENCE;
    let never = Arc::default();
    while !summary.is_complete(&truth) && Instant::now() < closing {
        let next = Schedule::new(INTERVAL, Some(Instant::now() + INTERVAL), &never);
        run::on_host(&mut host, next, Some(&mut shipping), |rows| {
            ledger.count(rows);
            summary.add(rows);
            show.window(rows)
        })?;
    }
    let mut verdicts = Verdicts::new(told, host.sources());
    summary
        .judge(&mut verdicts, &truth)
        .context("writing the summary")?;
    Ok(verdicts.agrees())
}
