//! CPU time of every cgroup by files alone, for hosts whose kernel lets no program count it.

use std::{collections::HashMap, path::Path};

use super::{Cgroup, read_cpu_stat};

/// Each cgroup's own CPU time in nanoseconds. `cpu.stat` includes the descendants: the children's
/// are taken off, and what a vanished child had stays with its parent.
pub fn own_cpu_ns(root: &Path, listing: &[Cgroup]) -> HashMap<u64, u64> {
    let usage: HashMap<&str, u64> = listing
        .iter()
        .filter_map(|cgroup| {
            let stat = read_cpu_stat(root, &cgroup.path).ok()?;
            Some((cgroup.path.as_str(), stat.usage_usec * 1000))
        })
        .collect();
    let mut own: HashMap<&str, u64> = usage.clone();
    for (path, ns) in &usage {
        if let Some(parent) = parent(path).and_then(|parent| own.get_mut(parent)) {
            *parent = parent.saturating_sub(*ns);
        }
    }
    // The root's file counts every task of the host by another clock: it is not comparable.
    let below_root = listing.iter().filter(|cgroup| cgroup.path != "/");
    below_root
        .filter_map(|cgroup| Some((cgroup.id, *own.get(cgroup.path.as_str())?)))
        .collect()
}

fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_found_up_to_the_root() {
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!(parent("/a"), Some("/"));
        assert_eq!(parent("/"), None);
    }

    #[test]
    fn children_are_taken_off_their_parent() {
        let root = std::env::temp_dir().join(format!("podledger-usage-{}", std::process::id()));
        for (path, usec) in [("a", 10), ("a/b", 7)] {
            std::fs::create_dir_all(root.join(path)).unwrap();
            std::fs::write(
                root.join(path).join("cpu.stat"),
                format!("usage_usec {usec}\n"),
            )
            .unwrap();
        }
        let listing = [(1, "/"), (2, "/a"), (3, "/a/b")].map(|(id, path)| Cgroup {
            id,
            path: path.to_owned(),
        });
        let own = own_cpu_ns(&root, &listing);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(own, HashMap::from([(2, 3000), (3, 7000)]));
    }
}
