//! Programs of the distribution that the guests are made of and run on.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::process;

const NEEDED: &[&str] = &[
    "busybox-static",
    "cpio",
    "ethtool",
    "iproute2",
    "kmod",
    "nftables",
    "qemu-system-x86",
    "xz-utils",
];

pub(super) fn ensure() -> Result<Outcome> {
    let missing = missing()?;
    if missing.is_empty() {
        return Ok(Outcome::Found(NEEDED.join(" ")));
    }
    install(&missing).with_context(|| {
        format!(
            "needs root: run `apt-get install --no-install-recommends {}`",
            missing.join(" ")
        )
    })?;
    Ok(Outcome::Installed(missing.join(" ")))
}

fn missing() -> Result<Vec<&'static str>> {
    let format = "${Package} ${db:Status-Status}\n";
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", format])
        .args(NEEDED)
        .output();
    // A package that dpkg never heard of is an error to it, and simply not in the output for us.
    let output = output.context("cannot start dpkg-query: this command knows Debian only")?;
    let known = String::from_utf8_lossy(&output.stdout).into_owned();
    let installed = |name: &&str| {
        known
            .lines()
            .any(|line| line == format!("{name} installed"))
    };
    Ok(NEEDED
        .iter()
        .copied()
        .filter(|name| !installed(name))
        .collect())
}

fn install(names: &[&str]) -> Result<()> {
    println!("setup  packages     installing {}", names.join(" "));
    let install = || {
        process::output(
            apt_get()
                .args(["install", "--no-install-recommends"])
                .args(names),
        )
    };
    if install().is_err() {
        process::output(apt_get().arg("update"))?;
        install()?;
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-y").env("DEBIAN_FRONTEND", "noninteractive");
    command
}
