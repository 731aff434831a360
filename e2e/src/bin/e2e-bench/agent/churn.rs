//! A hundred pods a second for a while: memory stays flat, and every pod gets its last row.

use std::{
    collections::HashSet,
    sync::mpsc::RecvTimeoutError,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    process::{Running, Workload},
};
use serde_json::{Value, json};

use super::{process::Measured, stage::Stage};
use crate::numbers::{mib, rounded};

/// A container that is there for a moment.
pub(super) const BLINK: Workload = ("blink", blink);

const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const INTERVAL: Duration = Duration::from_secs(2);
const EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);

fn blink(_: &[String]) -> Result<()> {
    Ok(())
}

pub(super) fn run(length: Duration, as_json: bool) -> Result<()> {
    let stage = Stage::new(50)?;
    let mut agent = Measured::start(stage.agent(INTERVAL, "off")?)?;
    agent.lines.recv_timeout(PATIENCE).context("no first row")?;
    let maker = thread::spawn(move || come_and_go(length));
    let mut closed = HashSet::new();
    let mut memory = Vec::new();
    let mut looked = Instant::now();
    while !maker.is_finished() {
        take(&agent, &mut closed)?;
        if looked.elapsed() >= INTERVAL {
            looked = Instant::now();
            memory.push(agent.memory_bytes("VmRSS")?);
            agent.is_running()?;
        }
    }
    let made = maker
        .join()
        .map_err(|_| anyhow::anyhow!("the maker of pods panicked"))??;
    let deadline = Instant::now() + PATIENCE;
    while made.iter().any(|uid| !closed.contains(uid)) && Instant::now() < deadline {
        take(&agent, &mut closed)?;
    }
    thread::sleep(INTERVAL * 2);
    let after = agent.memory_bytes("VmRSS")?;
    let missing = made.iter().filter(|uid| !closed.contains(*uid)).count();
    let half = memory.len() / 2;
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len().max(1) as f64;
    let growth = mean(&memory[half..]) - mean(&memory[half / 2..half]);
    let figures = json!({
        "pods": made.len(),
        "pods_per_second": rounded(made.len() as f64 / length.as_secs_f64()),
        "without_last_row": missing,
        "rss_mib": rounded(mib(after)),
        "rss_growth_mib": rounded(growth / 1_048_576.0),
        "rss_peak_mib": rounded(mib(agent.memory_bytes("VmHWM")?)),
    });
    crate::print(&if as_json {
        figures.to_string()
    } else {
        serde_json::to_string_pretty(&figures)?
    })?;
    ensure!(
        missing == 0,
        "{missing} of {} pods never got their last row",
        made.len()
    );
    ensure!(
        growth < 2e6,
        "memory grew by {growth} bytes from one half of the run to the other"
    );
    Ok(())
}

fn take(agent: &Measured, closed: &mut HashSet<String>) -> Result<()> {
    match agent.lines.recv_timeout(Duration::from_millis(100)) {
        Ok(line) if line.text.contains("\"is_final\":true") => {
            let row: Value = serde_json::from_str(&line.text)?;
            closed.extend(row["pod_id"].as_str().map(str::to_owned));
        }
        Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the agent ended"),
    }
    Ok(())
}

/// Makes pods with a process in each; their uids.
fn come_and_go(length: Duration) -> Result<Vec<String>> {
    let home = TestCgroup::new("churn")?;
    let kubepods = home.child("kubepods")?;
    let began = Instant::now();
    let mut uids = Vec::new();
    while began.elapsed() < length {
        let uid = format!("77777777-0000-4000-8000-{:012x}", uids.len());
        let pod = kubepods.child(&format!("pod{uid}"))?;
        let container = pod.child(CONTAINER)?;
        Running::start(&container, None, BLINK.0, &[])?.finish()?;
        drop((container, pod));
        uids.push(uid);
        let due = began + EVERY * u32::try_from(uids.len())?;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    drop((kubepods, home));
    Ok(uids)
}
