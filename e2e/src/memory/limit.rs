//! A cgroup with a memory limit: of its own where the v2 hierarchy has the memory controller, else
//! with a v1 cgroup of the same processes beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    cgroup::{TestCgroup, write},
    harness::say,
};

/// A cgroup whose processes get no more memory than it was made with.
#[derive(Debug)]
pub struct Limited {
    /// Directories whose `cgroup.procs` a process has to write itself to.
    pub directories: Vec<PathBuf>,
    // Last: its processes are killed first when it goes, and the v1 cgroup has none left then.
    v1: Option<V1Cgroup>,
    /// The v2 cgroup; without one, the limit is for processes that stay where they are.
    pub cgroup: Option<TestCgroup>,
}

impl Limited {
    /// A v2 cgroup, limited.
    pub fn new(label: &str, bytes: u64) -> Result<Self> {
        let cgroup = TestCgroup::new(label)?;
        if !cgroup.directory.join("memory.max").exists() {
            let mut limited = Self::without_v2(label, bytes)?;
            limited.directories.push(cgroup.directory.clone());
            limited.cgroup = Some(cgroup);
            return Ok(limited);
        }
        cgroup.write("memory.max", &bytes.to_string())?;
        if cgroup.directory.join("memory.swap.max").exists() {
            cgroup.write("memory.swap.max", "0")?;
        }
        Ok(Self {
            directories: vec![cgroup.directory.clone()],
            v1: None,
            cgroup: Some(cgroup),
        })
    }

    /// A limit that leaves the v2 cgroup as it is; needs a v1 memory hierarchy.
    pub fn without_v2(label: &str, bytes: u64) -> Result<Self> {
        let v1 = V1Cgroup::new(label)?;
        write(
            &v1.directory.join("memory.limit_in_bytes"),
            &bytes.to_string(),
        )?;
        Ok(Self {
            directories: vec![v1.directory.clone()],
            v1: Some(v1),
            cgroup: None,
        })
    }

    /// Whether the limit is one of the v2 hierarchy.
    pub fn is_v2(&self) -> bool {
        self.v1.is_none()
    }

    /// The directories as the one argument that workloads take.
    pub fn argument(&self) -> String {
        let paths = self.directories.iter().map(|path| path.to_string_lossy());
        paths.collect::<Vec<_>>().join(":")
    }
}

/// Whether there is a v1 hierarchy with the memory controller.
pub fn v1_memory_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let options = kind.strip_prefix("cgroup ")?.split(' ').nth(1)?;
        let target = place.split(' ').nth(4)?;
        options
            .split(',')
            .any(|option| option == "memory")
            .then(|| PathBuf::from(target))
    })
}

#[derive(Debug)]
struct V1Cgroup {
    directory: PathBuf,
}

impl V1Cgroup {
    fn new(label: &str) -> Result<Self> {
        let root = v1_memory_root().context("no hierarchy has the memory controller")?;
        let name = format!("podledger-test-{}-{label}", std::process::id());
        let directory = root.join(name);
        fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        Ok(Self { directory })
    }
}

impl Drop for V1Cgroup {
    fn drop(&mut self) {
        let processes = fs::read_to_string(self.directory.join("cgroup.procs"));
        for pid in processes
            .unwrap_or_default()
            .lines()
            .filter_map(|pid| pid.parse().ok())
        {
            crate::process::kill(pid);
        }
        if let Err(error) = crate::cgroup::remove(&self.directory) {
            say(&format!("warning: {error:#}"));
        }
    }
}

/// Moves the calling process into cgroups given as [`Limited::argument`] does.
pub(super) fn enter(directories: &str) -> Result<()> {
    directories
        .split(':')
        .try_for_each(|directory| write(&Path::new(directory).join("cgroup.procs"), "0"))
}
