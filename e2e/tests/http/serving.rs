//! The real command, started and stopped.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::harness::say;
use e2e::stack::{Daemon, Place, free_port};

/// Names the command; `cargo xtask test` sets it.
const BINARY: &str = "PODLEDGER_AGGREGATOR_BINARY";

/// What `cargo xtask test` sets. None if it is not there, which is an error where nothing may be skipped.
pub(crate) fn needed(name: &str) -> Result<Option<OsString>> {
    let found = env::var_os(name);
    if found.is_none() {
        let is_needed = env::var("PODLEDGER_REQUIRE_ALL").is_ok_and(|value| value == "1");
        ensure!(!is_needed, "{name} is not set");
        say(&format!(
            "skipped: {name} is not set: use `cargo xtask test`"
        ));
    }
    Ok(found)
}

/// A folder with certificates; it goes when this is dropped.
pub(crate) struct Folder {
    pub(crate) place: Place,
    binary: PathBuf,
}

impl Folder {
    /// None if there is no command.
    pub(crate) fn new() -> Result<Option<Self>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Some(binary) = needed(BINARY)? else {
            return Ok(None);
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("podledger-http-{}-{number}", std::process::id());
        Ok(Some(Self {
            place: Place::make(&env::temp_dir().join(name))?,
            binary: binary.into(),
        }))
    }

    /// An aggregator whom anybody may tell anything.
    pub(crate) fn open_to_all(&self) -> Result<(Command, u16)> {
        let status = free_port()?;
        let mut command = Command::new(&self.binary);
        let file = |name: &str| self.place.file(name);
        command
            .arg("serve")
            .args(["--auth", "none", "--listen"])
            .arg(format!("127.0.0.1:{}", free_port()?))
            .args(["--status-listen", &format!("127.0.0.1:{status}")])
            .args(["--commit-age", "1s"])
            .arg("--tls-cert")
            .arg(file("tls.crt"))
            .arg("--tls-key")
            .arg(file("tls.key"));
        Ok((command, status))
    }

    /// Where tables may be.
    pub(crate) fn tables(&self) -> String {
        format!("file://{}", self.place.file("tables").display())
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.place.file("log")
    }

    /// What `verify` says; it must prove the tables.
    pub(crate) fn assert_proved(&self, store: &str) -> Result<String> {
        let output = Command::new(&self.binary)
            .args(["verify", store])
            .output()?;
        let said = words(&output);
        ensure!(output.status.success(), "{said}");
        Ok(said)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.place.directory));
    }
}

/// Started, and ready.
pub(crate) fn start(command: Command, status: u16, log: &Path) -> Result<Daemon> {
    let mut daemon = Daemon::start(command, log)?;
    daemon.await_port(status)?;
    let (begun, url) = (
        std::time::Instant::now(),
        format!("http://127.0.0.1:{status}/ready"),
    );
    while !Command::new("curl")
        .args(["-sfo", "/dev/null", &url])
        .status()?
        .success()
    {
        ensure!(
            begun.elapsed() < PATIENCE,
            "it is never ready: {}",
            daemon.last_words()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(daemon)
}

/// Stopped as Kubernetes does; everything that was taken in is committed by then.
pub(crate) fn stop(mut daemon: Daemon) -> Result<()> {
    let status = daemon.stop(PATIENCE)?;
    ensure!(status.success(), "{status}: {}", daemon.last_words());
    Ok(())
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// All that a command said.
pub(crate) fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}
