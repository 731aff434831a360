//! Where the hierarchy is mounted, and the cgroups in it. The id of a cgroup is its inode number.

use std::{
    fs, io,
    os::unix::fs::{DirEntryExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// A cgroup that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Its id, the one that the kernel counts by.
    pub id: u64,
    /// Its path below the root, `/` for the root.
    pub path: String,
}

/// Inode of the hierarchy's top, which is its id. In a cgroup namespace of its own a process sees
/// another directory as `/`.
const TOP: u64 = 1;

/// The mount point of the cgroup v2 hierarchy, unified or hybrid, that shows it from its top.
pub fn find_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    parse_roots(&mounts).find(|root| fs::metadata(root).is_ok_and(|root| root.ino() == TOP))
}

/// The mounts whose `/` may be the top.
fn parse_roots(mounts: &str) -> impl Iterator<Item = PathBuf> {
    mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (shown, target) = (fields.next()?, fields.next()?);
        (kind.starts_with("cgroup2 ") && shown == "/").then(|| PathBuf::from(target))
    })
}

/// All cgroups below `root`, itself included, parents first. Those that vanish meanwhile are left
/// out; any other failure fails the listing, since what it left out would be taken for removed.
pub fn list(root: &Path) -> io::Result<Vec<Cgroup>> {
    let id = fs::metadata(root)?.ino();
    if id != TOP {
        let reason = format!("{} is not the top of a cgroup v2 hierarchy", root.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let mut found = vec![Cgroup {
        id,
        path: "/".to_owned(),
    }];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next].path.trim_end_matches('/').to_owned();
        let directory = root.join(parent.trim_start_matches('/'));
        next += 1;
        let children = match fs::read_dir(directory) {
            Err(error) if is_gone(&error) => continue,
            children => children?,
        };
        for child in children {
            let child = match child {
                Err(error) if is_gone(&error) => break,
                child => child?,
            };
            if child.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = format!("{parent}/{}", child.file_name().to_string_lossy());
                found.push(Cgroup {
                    id: child.ino(),
                    path,
                });
            }
        }
    }
    Ok(found)
}

/// A cgroup that was removed while it was read.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_in_unified_and_hybrid_mounts() {
        let hybrid = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 24 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let roots: Vec<PathBuf> = parse_roots(hybrid).collect();
        assert_eq!(roots, [Path::new("/sys/fs/cgroup/unified")]);
        let inner = "40 24 0:27 /pod /mnt rw - cgroup2 cgroup2 rw\n";
        assert_eq!(parse_roots(inner).next(), None);
    }
}
