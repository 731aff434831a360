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

/// The mount point of the cgroup v2 hierarchy, unified or hybrid.
pub fn find_root() -> Option<PathBuf> {
    parse_root(&fs::read_to_string("/proc/self/mountinfo").ok()?)
}

/// Of several mounts the first that shows the hierarchy from its top.
fn parse_root(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (shown, target) = (fields.next()?, fields.next()?);
        (kind.starts_with("cgroup2 ") && shown == "/").then(|| PathBuf::from(target))
    })
}

/// All cgroups below `root`, itself included, parents first. Those that vanish meanwhile are left out.
pub fn list(root: &Path) -> io::Result<Vec<Cgroup>> {
    let id = fs::metadata(root)?.ino();
    let mut found = vec![Cgroup {
        id,
        path: "/".to_owned(),
    }];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next].path.trim_end_matches('/').to_owned();
        let directory = root.join(parent.trim_start_matches('/'));
        let children = fs::read_dir(directory).into_iter().flatten().flatten();
        for child in children.filter(|child| child.file_type().is_ok_and(|kind| kind.is_dir())) {
            let path = format!("{parent}/{}", child.file_name().to_string_lossy());
            found.push(Cgroup {
                id: child.ino(),
                path,
            });
        }
        next += 1;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_in_unified_and_hybrid_mounts() {
        let hybrid = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 24 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        assert_eq!(
            parse_root(hybrid).unwrap(),
            Path::new("/sys/fs/cgroup/unified")
        );
        let inner = "40 24 0:27 /pod /mnt rw - cgroup2 cgroup2 rw\n";
        assert_eq!(parse_root(inner), None);
    }
}
