//! The kernels that tests boot: Debian's builds for virtual machines, unpacked, never installed.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::Outcome;
use super::suite::Suite;
use crate::paths;

/// The package that always depends on the suite's newest kernel for virtual machines.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// One kernel series, and the Debian suite that maintains it.
pub(crate) struct KernelImage {
    pub(crate) version: &'static str,
    suite: &'static str,
    /// What the virtual processor must not offer: see the reason at each use.
    pub(crate) cpu: &'static str,
}

/// Every kernel that `cargo xtask kernels` boots.
pub(crate) const ALL: &[KernelImage] = &[
    KernelImage {
        version: "6.1",
        suite: "bookworm",
        cpu: "max",
    },
    // 6.12 takes 16-byte compare-and-exchange when offered, which software emulation gets wrong.
    KernelImage {
        version: "6.12",
        suite: "trixie",
        cpu: "max,cx16=off",
    },
];

impl KernelImage {
    /// The image of a version that [`ALL`] has.
    pub(crate) fn of(version: &str) -> Result<&'static Self> {
        let found = ALL.iter().find(|image| image.version == version);
        found.with_context(|| format!("there is no image of kernel {version}"))
    }

    /// The compressed kernel to boot.
    pub(crate) fn boot_file(&self) -> Result<PathBuf> {
        only_entry(&self.folder()?.join("boot"), "vmlinuz-")
    }

    /// The folder of its modules, named by its full release.
    pub(crate) fn modules(&self) -> Result<PathBuf> {
        let folder = self.folder()?;
        only_entry(&folder.join("lib/modules"), self.version)
            .or_else(|_| only_entry(&folder.join("usr/lib/modules"), self.version))
    }

    pub(super) fn ensure(&self) -> Result<Outcome> {
        if let Ok(file) = self.boot_file() {
            return Ok(Outcome::Found(file_name(&file)));
        }
        let suite = Suite::open(self.suite)?;
        let package = suite.dependency(META_PACKAGE, &format!("linux-image-{}.", self.version))?;
        let version = suite.version(&package, "")?;
        suite.unpack(&package, &version, &self.folder()?)?;
        Ok(Outcome::Installed(format!(
            "{} of Debian {}",
            file_name(&self.boot_file()?),
            self.suite
        )))
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(paths::cache()?.join(format!("kernel-{}", self.version)))
    }
}

fn only_entry(folder: &std::path::Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .find(|path| file_name(path).starts_with(prefix))
        .with_context(|| format!("{} has no {prefix}*", folder.display()))
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
