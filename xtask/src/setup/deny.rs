//! `cargo-deny`, which keeps the list of licenses and sources.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::{paths, process};

const VERSION: &str = "0.20.2";

/// The program, once [`ensure`] succeeded.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(folder()?.join("bin/cargo-deny"))
}

pub(super) fn ensure() -> Result<Outcome> {
    if program()?.exists() {
        return Ok(Outcome::Found(VERSION.to_owned()));
    }
    println!("setup  cargo-deny   building {VERSION}, some minutes");
    let folder = folder()?;
    let mut command = process::clean_cargo();
    // Unoptimised on purpose: it builds in a third of the time and runs for a second.
    command.args([
        "install",
        "cargo-deny",
        "--locked",
        "--debug",
        "--version",
        VERSION,
    ]);
    command
        .arg("--root")
        .arg(&folder)
        .arg("--target-dir")
        .arg(folder.join("build"));
    process::output(&mut command).context("building cargo-deny with `cargo install`")?;
    std::fs::remove_dir_all(folder.join("build")).context("removing cargo-deny's build folder")?;
    Ok(Outcome::Installed(VERSION.to_owned()))
}

fn folder() -> Result<PathBuf> {
    Ok(paths::cache()?.join(format!("cargo-deny-{VERSION}")))
}
