//! What our own verify says of the tables, and what others' readers say.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{Arguments, cluster::Cluster, print};

/// Whether all agree that every row is there once.
pub(crate) fn judge(arguments: &Arguments, cluster: &Cluster) -> Result<bool> {
    let mut verify = Command::new(&arguments.aggregator);
    verify
        .args(["verify", &cluster.url(), "--settle", "0s"])
        .envs(cluster.store.environment());
    let verified = verify.status().context("starting verify")?;
    let mut readers = Command::new(&arguments.python);
    readers
        .arg(&arguments.readers)
        .arg(cluster.url())
        .envs(cluster.store.environment())
        .stderr(Stdio::inherit());
    let output = readers.output().context("starting the other readers")?;
    print(&String::from_utf8_lossy(&output.stdout))?;
    ensure!(
        output.status.code().is_some_and(|code| code <= 1),
        "the other readers ended with {}",
        output.status
    );
    Ok(verified.success() && output.status.success())
}
