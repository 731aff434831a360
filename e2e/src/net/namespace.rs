//! A network namespace of a test's own, removed when dropped.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::raw;
use crate::{cgroup::TestCgroup, process::Running};

/// Where `ip netns` keeps the namespaces it made.
const NAMESPACES: &str = "/run/netns";

/// A network namespace with its loopback interface up.
#[derive(Debug)]
pub struct Namespace {
    /// Its name for `ip`.
    pub name: String,
}

impl Namespace {
    /// Makes `podledger-PID-N-LABEL`.
    pub fn new(label: &str) -> Result<Self> {
        Self::made_by(label, |name| run("ip", &["netns", "add", name]).map(drop))
    }

    /// The same, by a process in a cgroup.
    pub fn made_in(cgroup: &TestCgroup, label: &str) -> Result<Self> {
        Self::made_by(label, |name| {
            let maker = Running::start(cgroup, None, "net-namespace", &[name])?;
            maker.finish().map(drop)
        })
    }

    fn made_by(label: &str, make: impl FnOnce(&str) -> Result<()>) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("podledger-{}-{number}-{label}", process::id());
        make(&name)?;
        let namespace = Self { name };
        configure(Some(&namespace), &["link set dev lo up".to_owned()])?;
        Ok(namespace)
    }

    /// Does `work` on a thread inside. Sockets made there stay inside.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = Path::new(NAMESPACES).join(&self.name);
        let namespace = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                raw::enter_network_namespace(&namespace).context("entering a network namespace")?;
                work()
            });
            inside
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the thread inside the namespace panicked")))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = run("ip", &["netns", "del", &self.name]) {
            crate::harness::say(&format!("warning: {error:#}"));
        }
    }
}

/// Gives `ip` several lines at once, inside a namespace or on the host.
pub fn configure(namespace: Option<&Namespace>, lines: &[String]) -> Result<()> {
    let mut command = Command::new("ip");
    if let Some(namespace) = namespace {
        command.args(["-n", &namespace.name]);
    }
    let mut child = command
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("starting ip")?;
    let mut input = child.stdin.take().context("ip has no input")?;
    input.write_all(lines.join("\n").as_bytes())?;
    drop(input);
    let status = child.wait()?;
    ensure!(status.success(), "ip did not take `{}`", lines.join("; "));
    Ok(())
}

/// Runs a program to its good end; what it printed.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("starting {program}"))?;
    ensure!(
        output.status.success(),
        "`{program} {}` ended with {}: {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
