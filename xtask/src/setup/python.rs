//! Python with requests, for the collector that `bench agent` compares the agent with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::{paths, process};

/// All of it, so that a measurement of today is one of next year.
const PACKAGES: &[&str] = &[
    "requests==2.32.5",
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "idna==3.20",
    "urllib3==2.8.0",
];

/// The interpreter, once [`ensure`] succeeded.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(folder()?.join("bin/python"))
}

pub(super) fn ensure() -> Result<Outcome> {
    let shown = PACKAGES.first().copied().unwrap_or_default().to_owned();
    let mut import = Command::new(program()?);
    // What was broken off while it was made has no requests.
    if process::output(import.args(["-c", "import requests"])).is_ok() {
        return Ok(Outcome::Found(shown));
    }
    let folder = folder()?;
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    process::output(&mut make).context(
        "needs Python with its venv module: `apt-get install --no-install-recommends python3-venv`",
    )?;
    let mut install = Command::new(program()?);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    process::output(install.args(PACKAGES)).context("installing requests with pip")?;
    Ok(Outcome::Installed(shown))
}

fn folder() -> Result<PathBuf> {
    Ok(paths::cache()?.join("python-requests-2.32.5"))
}
