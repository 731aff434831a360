//! Pinned maps and links: counting goes on while no agent runs, and the next agent takes it over.
//!
//! `<pins>/layout-N/maps/NAME` and `<pins>/layout-N/links/VERSION/PROGRAM`; the links of packet
//! programs lie in `links/packets`, since they are swapped in place.

use std::{
    fs::{self, File},
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use agent_common::LAYOUT;

use super::sys;

/// Where a BPF file system is mounted on every host that has one.
const BPF_FS: &str = "/sys/fs/bpf";
/// Magic number of a BPF file system.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// Why pins can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// There is no BPF file system and none could be mounted.
    #[error(
        "{path} is on no BPF file system: `mount -t bpf bpf {mount}`, or mount the host's there, \
         and name a directory on it"
    )]
    NoBpfFs {
        /// The wanted directory.
        path: PathBuf,
        /// Where a BPF file system should be.
        mount: PathBuf,
        /// The failed attempt to mount one.
        #[source]
        source: io::Error,
    },
    /// Another agent holds the directory.
    #[error("another podledger-agent runs with {0}: stop it first")]
    Busy(PathBuf),
    /// A file operation failed.
    #[error("{what} {path}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// The answer.
        #[source]
        source: io::Error,
    },
}

/// Counters that an earlier agent left and that could not be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why not.
    pub reason: String,
}

/// The agent's directory of pins, locked.
#[derive(Debug)]
pub(super) struct Pins {
    root: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Pins {
    /// Opens and locks the directory, on a BPF file system that is mounted if need be.
    pub(super) fn open(root: &Path) -> Result<Self, PinError> {
        ensure_bpf_fs(root)?;
        fs::create_dir_all(root).map_err(io_error("creating", root))?;
        let lock = File::open(root).map_err(io_error("opening", root))?;
        sys::lock_directory(lock.as_fd()).map_err(|_| PinError::Busy(root.to_owned()))?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    fn layout(&self) -> PathBuf {
        self.root.join(format!("layout-{LAYOUT}"))
    }

    /// Where the map of that name is pinned.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.layout().join("maps").join(name)
    }

    /// Directory of the tracepoint links of one version of the programs.
    pub(super) fn links(&self, version: u32) -> PathBuf {
        self.layout().join("links").join(version.to_string())
    }

    /// Where the link of a packet program is pinned.
    pub(super) fn packet_link(&self, name: &str) -> PathBuf {
        self.layout().join("links").join("packets").join(name)
    }

    /// Makes the directories for `version`, after removing what a killed agent left under it.
    pub(super) fn prepare(&self, version: u32) -> Result<(), PinError> {
        remove_tree(&self.links(version))?;
        for directory in [
            self.layout().join("maps"),
            self.links(version),
            self.layout().join("links/packets"),
        ] {
            fs::create_dir_all(&directory).map_err(io_error("creating", &directory))?;
        }
        Ok(())
    }

    /// Removes the pins of every other layout, whose counters this agent can't read.
    pub(super) fn remove_other_layouts(&self) -> Result<Option<Gap>, PinError> {
        let mut gap = None;
        for entry in layouts(&self.root)? {
            if entry != self.layout() {
                remove_tree(&entry)?;
                let name = entry
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let reason = format!("counters of {name} can't be read by layout-{LAYOUT}");
                gap = Some(Gap { reason });
            }
        }
        Ok(gap)
    }

    /// Removes the pins of this layout, which are not what they should be.
    pub(super) fn replace_layout(&self, reason: String) -> Result<Gap, PinError> {
        remove_tree(&self.layout())?;
        Ok(Gap { reason })
    }

    /// Removes the tracepoint links of every version but `version`: its programs count now.
    pub(super) fn remove_other_links(&self, version: u32) -> Result<(), PinError> {
        for entry in entries(&self.layout().join("links"))? {
            if entry != self.links(version) && !entry.ends_with("packets") {
                remove_tree(&entry)?;
            }
        }
        Ok(())
    }
}

/// Removes every pin of ours: detaches the programs and frees the maps. Tells whether there was any.
/// Nothing else is touched, whatever directory is named.
pub fn uninstall(root: &Path) -> Result<bool, PinError> {
    if !is_bpf_fs(root) || layouts(root)?.is_empty() {
        return Ok(false);
    }
    let lock = File::open(root).map_err(io_error("opening", root))?;
    sys::lock_directory(lock.as_fd()).map_err(|_| PinError::Busy(root.to_owned()))?;
    for layout in layouts(root)? {
        remove_tree(&layout)?;
    }
    match fs::remove_dir(root) {
        // Others keep something there.
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(io_error("removing", root)(error))
        }
        _ => Ok(true),
    }
}

/// The directories of pins that some version of the agent made.
fn layouts(root: &Path) -> Result<Vec<PathBuf>, PinError> {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("layout-"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let mut found = entries(root)?;
    found.retain(is_ours);
    Ok(found)
}

/// A missing BPF file system is mounted at its usual place, never over anything else.
fn ensure_bpf_fs(root: &Path) -> Result<(), PinError> {
    if is_bpf_fs(root) {
        return Ok(());
    }
    let mount = Path::new(BPF_FS);
    let no_bpf_fs = |source| PinError::NoBpfFs {
        path: root.to_owned(),
        mount: mount.to_owned(),
        source,
    };
    if !root.starts_with(mount) {
        return Err(no_bpf_fs(io::Error::from(io::ErrorKind::Unsupported)));
    }
    fs::create_dir_all(mount).map_err(no_bpf_fs)?;
    sys::mount("bpf", mount).map_err(no_bpf_fs)
}

/// Whether the nearest existing ancestor lies on a BPF file system.
fn is_bpf_fs(path: &Path) -> bool {
    path.ancestors()
        .find(|path| path.exists())
        .is_some_and(|path| sys::file_system_magic(path).is_ok_and(|magic| magic == BPF_FS_MAGIC))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, PinError> {
    let failed = io_error("listing", directory);
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    listing
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)
}

fn remove_tree(path: &Path) -> Result<(), PinError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("removing", path)(error))
        }
        _ => Ok(()),
    }
}

fn io_error<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> PinError + Copy + 'a {
    move |source| PinError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of somebody else's, with what must stay.
    fn foreign(label: &str) -> PathBuf {
        let root =
            std::env::temp_dir().join(format!("podledger-pins-{label}-{}", std::process::id()));
        fs::create_dir_all(root.join("precious")).unwrap();
        fs::create_dir_all(root.join("layout-1/maps")).unwrap();
        root
    }

    #[test]
    fn uninstalling_touches_no_ordinary_directory() {
        let root = foreign("uninstall");
        assert!(!uninstall(&root).unwrap());
        assert!(root.join("precious").exists() && root.join("layout-1/maps").exists());
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn nothing_is_mounted_over_ordinary_directories() {
        let root = foreign("mount");
        let error = Pins::open(&root.join("pins")).unwrap_err();
        assert!(matches!(error, PinError::NoBpfFs { .. }), "{error}");
        assert!(!root.join("pins").exists());
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn only_directories_that_an_agent_made_are_layouts() {
        let root = foreign("layouts");
        fs::create_dir_all(root.join("layout-x")).unwrap();
        assert_eq!(layouts(&root).unwrap(), [root.join("layout-1")]);
        fs::remove_dir_all(&root).unwrap();
    }
}
