//! A cgroup of a test's own, removed with everything in it when dropped.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// Removal waits this long for the last process to be gone.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries; yielding instead would be CPU time that tests measure.
const REMOVAL_PAUSE: Duration = Duration::from_micros(200);

/// A cgroup below the v2 root.
#[derive(Debug)]
pub struct TestCgroup {
    /// Its directory.
    pub directory: PathBuf,
    /// Its path below the root, as the kernel tells it.
    pub path: String,
    /// Its id.
    pub id: u64,
}

impl TestCgroup {
    /// Makes `podledger-test-PID-N-LABEL` at the top of the hierarchy.
    pub fn new(label: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::at(format!(
            "/podledger-test-{}-{number}-{label}",
            process::id()
        ))
    }

    /// Makes a child.
    pub fn child(&self, name: &str) -> Result<Self> {
        Self::at(format!("{}/{name}", self.path))
    }

    fn at(path: String) -> Result<Self> {
        let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
        let directory = root.join(path.trim_start_matches('/'));
        fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        let id = fs::metadata(&directory)?.ino();
        Ok(Self {
            directory,
            path,
            id,
        })
    }

    /// Moves a process in.
    pub fn add(&self, pid: u32) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Writes one of its files.
    pub fn write(&self, file: &str, value: &str) -> Result<()> {
        write(&self.directory.join(file), value)
    }

    /// CPU time by `cpu.stat`, in nanoseconds.
    pub fn usage_ns(&self) -> Result<u64> {
        let stat = agent::cgroups::read_cpu_stat(&self.directory, "/")?;
        Ok(stat.usage_usec * 1000)
    }

    /// Removes it now; it must be empty of processes soon.
    pub fn remove(&self) -> Result<()> {
        remove(&self.directory)
    }
}

/// Removes a cgroup of any hierarchy. The kernel may still be busy with processes that ended.
pub fn remove(directory: &Path) -> Result<()> {
    let deadline = Instant::now() + REMOVAL_PATIENCE;
    loop {
        match fs::remove_dir(directory) {
            Err(error)
                if error.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline =>
            {
                thread::sleep(REMOVAL_PAUSE);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => {
                return other.with_context(|| format!("removing {}", directory.display()));
            }
        }
    }
}

impl Drop for TestCgroup {
    fn drop(&mut self) {
        let pids = fs::read_to_string(self.directory.join("cgroup.procs")).unwrap_or_default();
        for pid in pids.lines().filter_map(|pid| pid.parse().ok()) {
            crate::process::kill(pid);
        }
        if let Err(error) = self.remove() {
            crate::harness::say(&format!("warning: {error:#}"));
        }
    }
}

/// Writes a kernel file, telling which and what when it fails.
pub fn write(file: &Path, value: &str) -> Result<()> {
    fs::write(file, value).with_context(|| format!("writing `{value}` to {}", file.display()))
}
