//! CPU time of every cgroup by files alone, for hosts whose kernel lets no program count it.

use std::{collections::HashMap, path::Path};

use super::{Cgroup, read_cpu_stat};

/// Each cgroup's own CPU time since the first reading.
#[derive(Debug, Default)]
pub struct FileCpu {
    /// `cpu.stat` as of the last reading, descendants included.
    usage_ns: HashMap<u64, u64>,
    own_ns: HashMap<u64, u64>,
    total_ns: u64,
    has_begun: bool,
}

impl FileCpu {
    /// Reads `cpu.stat` of all listed cgroups. It includes the descendants, so what the children used
    /// since the last reading is taken off; a child that vanished leaves its last time to its parent.
    pub fn read(&mut self, root: &Path, listing: &[Cgroup]) -> &HashMap<u64, u64> {
        let read = |cgroup: &Cgroup| {
            let stat = read_cpu_stat(root, &cgroup.path).ok()?;
            Some((cgroup.id, stat.usage_usec * 1000))
        };
        // The root's file counts by another clock: it is not comparable.
        let below_root = listing.iter().filter(|cgroup| cgroup.path != "/");
        self.advance(listing, below_root.filter_map(read).collect());
        &self.own_ns
    }

    /// All cgroups' CPU time since the first reading, those that are gone included.
    pub fn total_ns(&self) -> u64 {
        self.total_ns
    }

    fn advance(&mut self, listing: &[Cgroup], usage_ns: HashMap<u64, u64>) {
        let since =
            |id: &u64, ns: &u64| ns.saturating_sub(self.usage_ns.get(id).copied().unwrap_or(0));
        let all: HashMap<u64, u64> = usage_ns
            .iter()
            .map(|(id, ns)| (*id, since(id, ns)))
            .collect();
        let mut own = all.clone();
        let ids: HashMap<&str, u64> = listing
            .iter()
            .map(|cgroup| (cgroup.path.as_str(), cgroup.id))
            .collect();
        for cgroup in listing {
            let parent = parent(&cgroup.path).and_then(|parent| ids.get(parent));
            if let (Some(ns), Some(own)) =
                (all.get(&cgroup.id), parent.and_then(|id| own.get_mut(id)))
            {
                // Both were read at different moments: a difference of microseconds is no usage.
                *own = own.saturating_sub(*ns);
            }
        }
        // What was used before the first reading is nobody's.
        if self.has_begun {
            for (id, ns) in own {
                *self.own_ns.entry(id).or_default() += ns;
                self.total_ns += ns;
            }
        }
        self.own_ns.retain(|id, _| usage_ns.contains_key(id));
        self.usage_ns = usage_ns;
        self.has_begun = true;
    }
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

    fn listing(paths: &[(u64, &str)]) -> Vec<Cgroup> {
        let cgroup = |(id, path): &(u64, &str)| Cgroup {
            id: *id,
            path: (*path).to_owned(),
        };
        paths.iter().map(cgroup).collect()
    }

    #[test]
    fn parents_are_found_up_to_the_root() {
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!(parent("/a"), Some("/"));
        assert_eq!(parent("/"), None);
    }

    #[test]
    fn children_are_taken_off_and_the_past_is_nobodys() {
        let both = listing(&[(2, "/a"), (3, "/a/b")]);
        let mut cpu = FileCpu::default();
        cpu.advance(&both, HashMap::from([(2, 1_000), (3, 900)]));
        cpu.advance(&both, HashMap::from([(2, 1_500), (3, 1_300)]));
        assert_eq!(cpu.own_ns, HashMap::from([(2, 100), (3, 400)]));
        // The child was read later than its parent.
        cpu.advance(&both, HashMap::from([(2, 1_510), (3, 1_315)]));
        assert_eq!(cpu.own_ns, HashMap::from([(2, 100), (3, 415)]));
    }

    #[test]
    fn a_vanished_child_leaves_its_parent_its_last_time_only() {
        let mut cpu = FileCpu::default();
        cpu.advance(
            &listing(&[(2, "/a"), (3, "/a/b")]),
            HashMap::from([(2, 1_000), (3, 900)]),
        );
        cpu.advance(&listing(&[(2, "/a")]), HashMap::from([(2, 1_030)]));
        assert_eq!(cpu.own_ns, HashMap::from([(2, 30)]));
    }

    #[test]
    fn a_new_cgroup_counts_from_its_birth() {
        let mut cpu = FileCpu::default();
        cpu.advance(&listing(&[(2, "/a")]), HashMap::from([(2, 1_000)]));
        cpu.advance(
            &listing(&[(2, "/a"), (9, "/c")]),
            HashMap::from([(2, 1_000), (9, 70)]),
        );
        assert_eq!(cpu.own_ns.get(&9), Some(&70));
    }
}
