//! The two logs of a run, kept under `target/kernels`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::paths;

const LINES_SHOWN: usize = 30;

/// How the tests begin a line, on standard error, that says what was not run and why.
const NOTES: &[&str] = &["not applicable here: ", "skipped: "];

/// Where one kernel's run leaves its logs.
pub(super) struct Logs {
    pub(super) folder: PathBuf,
    /// What the tests said.
    pub(super) tests: PathBuf,
    /// What the kernel and standard error said.
    pub(super) messages: PathBuf,
    /// Held so that a second run on this kernel waits: it would write the same files.
    _lock: File,
}

impl Logs {
    pub(super) fn of(kernel: &str) -> Result<Self> {
        let folder = paths::target()?.join("kernels");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let lock = folder.join(format!("{kernel}.lock"));
        let lock = File::create(&lock).with_context(|| format!("creating {}", lock.display()))?;
        lock.lock()
            .context("waiting for another run on this kernel")?;
        let tests = folder.join(format!("{kernel}.log"));
        let messages = folder.join(format!("{kernel}.messages.log"));
        Ok(Self {
            folder,
            tests,
            messages,
            _lock: lock,
        })
    }

    /// What the tests said about those that were not run.
    pub(super) fn notes(&self) -> Vec<String> {
        let text = read(&self.messages);
        let lines = text.lines().map(str::trim_end);
        let notes = lines.filter(|line| NOTES.iter().any(|note| line.starts_with(note)));
        notes.map(str::to_owned).collect()
    }

    /// Shows the failures that the tests list, or the last lines of everything if they list none.
    pub(super) fn show_end(&self, has_failures: bool) {
        if has_failures {
            show(&self.tests, |line| line == "failures:");
            return;
        }
        show(&self.messages, |_| false);
        show(&self.tests, |_| false);
    }
}

fn show(log: &Path, begins: impl Fn(&str) -> bool) {
    let text = read(log);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let last = lines.len().saturating_sub(LINES_SHOWN);
    let from = lines.iter().position(|line| begins(line)).unwrap_or(last);
    println!("  {}:\n  {}", log.display(), lines[from..].join("\n  "));
}

/// A log that was never written is as good as an empty one; a kernel may write bytes that are not text.
fn read(log: &Path) -> String {
    fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
