//! The standard library's sources: the kernel target has no compiled `core`, so cargo builds it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Outcome;
use super::rustc::Rustc;
use super::suite::Suite;
use crate::{paths, process};

/// The suite where Debian keeps compilers that are newer than its releases.
const SUITE: &str = "trixie-backports";

pub(super) fn ensure(rustc: &Rustc) -> Result<Outcome> {
    let library = rustc.sysroot.join("lib/rustlib/src/rust/library");
    let manifest = library.join("core/Cargo.toml");
    if manifest.exists() {
        return Ok(Outcome::Found(rustc.release.clone()));
    }
    if from_rustup() && manifest.exists() {
        return Ok(Outcome::Installed(format!("{} from rustup", rustc.release)));
    }
    from_debian(rustc, &library).with_context(|| {
        format!(
            "no sources of rustc {0} found: connect to rustup's server and run `rustup component \
             add rust-src`, or install a rustc whose rust-src Debian's {SUITE} has \
             (`rustup default VERSION`), or put the sources of {0} at {1}",
            rustc.release,
            library.display()
        )
    })?;
    Ok(Outcome::Installed(format!(
        "{} from Debian {SUITE}",
        rustc.release
    )))
}

/// False wherever there is no rustup, or it cannot reach its server: Debian is the second source.
fn from_rustup() -> bool {
    process::output(Command::new("rustup").args(["component", "add", "rust-src"])).is_ok()
}

fn from_debian(rustc: &Rustc, library: &Path) -> Result<()> {
    let unpacked = paths::cache()?.join(format!("rust-src-{}", rustc.release));
    let suite = Suite::open(SUITE)?;
    let version = suite.version("rust-src", &format!("{}+", rustc.release))?;
    suite.unpack("rust-src", &version, &unpacked)?;
    let sources = unpacked.join(format!("usr/src/rustc-{}/library", rustc.release));
    let parent = library
        .parent()
        .context("the library folder has no parent")?;
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    if library.is_symlink() {
        fs::remove_file(library).with_context(|| format!("removing {}", library.display()))?;
    }
    symlink(&sources, library)
        .with_context(|| format!("linking {} to {}", library.display(), sources.display()))
}
