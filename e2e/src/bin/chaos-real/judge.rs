//! What our own verify says of the tables, and what others' readers say.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::{Arguments, cluster::Cluster, print};

/// What each of the other readers counts that must not be there.
const WRONG: [&str; 3] = ["ledger_twice", "ledger_holes", "windows_apart"];
/// The same of each data table.
const WRONG_OF_TABLES: [&str; 2] = [".wrong", ".without_ledger"];

/// What one of the other readers found.
#[derive(Deserialize)]
struct Found {
    reader: String,
    /// Numbers, and the versions of the tables.
    #[serde(flatten)]
    answers: BTreeMap<String, serde_json::Value>,
}

impl Found {
    fn wrong(&self) -> Vec<String> {
        let is_wrong = |name: &str| {
            WRONG.contains(&name) || WRONG_OF_TABLES.iter().any(|end| name.ends_with(end))
        };
        let answers = self.answers.iter();
        answers
            .filter(|(name, answer)| is_wrong(name) && **answer != 0)
            .map(|(name, answer)| format!("{name} {answer}"))
            .collect()
    }
}

/// Whether all agree that every row is there once.
pub(crate) fn judge(arguments: &Arguments, cluster: &Cluster) -> Result<bool> {
    let mut verify = Command::new(&arguments.aggregator);
    verify
        .args(["verify", &cluster.url(), "--settle", "0s"])
        .envs(cluster.store.environment());
    let mut agrees = verify.status().context("starting verify")?.success();
    let mut readers = Command::new(&arguments.python);
    readers
        .arg(&arguments.readers)
        .arg(cluster.url())
        .envs(cluster.store.environment())
        .stderr(Stdio::inherit());
    let output = readers.output().context("starting the other readers")?;
    ensure!(
        output.status.success(),
        "the other readers ended with {}",
        output.status
    );
    let found: Vec<Found> = serde_json::from_slice(&output.stdout)
        .context("what the other readers say is not as expected")?;
    ensure!(!found.is_empty(), "the other readers say nothing");
    // Agents are dead for a part of the time; a window that they miss becomes a longer one.
    let expected = arguments.length.as_secs() / 4 + 1;
    for found in &found {
        let wrong = found.wrong();
        agrees &= wrong.is_empty();
        let number = |name: &str| found.answers.get(name).and_then(serde_json::Value::as_u64);
        let rows = number("pod_usage.rows").context("the rows were not counted")?;
        let windows = number("reconcile.rows").context("the windows were not counted")?;
        ensure!(
            windows >= expected,
            "{windows} windows in the tables, at least {expected} expected"
        );
        let verdict = match wrong.is_empty() {
            true => "nothing twice, no hole, windows without a break".to_owned(),
            false => format!("WRONG: {}", wrong.join(", ")),
        };
        print(&format!(
            "{}: {rows} rows in pod_usage, {verdict}",
            found.reader
        ))?;
    }
    Ok(agrees)
}
