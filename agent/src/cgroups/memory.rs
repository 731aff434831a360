//! `memory.oom.group`: whether the kernel kills a cgroup's processes together.

use std::{fs, path::Path};

/// Whether a kill in the cgroup at `path` takes all its processes: it or an ancestor says so. Not
/// known where no memory controller is on, or once the cgroup is gone.
pub fn oom_group(root: &Path, path: &str) -> Option<bool> {
    let mut is_known = false;
    for ancestor in Path::new(path.trim_start_matches('/')).ancestors() {
        match fs::read_to_string(root.join(ancestor).join("memory.oom.group")) {
            Ok(value) if value.trim() == "1" => return Some(true),
            Ok(_) => is_known = true,
            Err(_) => {}
        }
    }
    is_known.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ancestor_decides_for_its_descendants() {
        let root = std::env::temp_dir().join(format!("podledger-group-{}", std::process::id()));
        for (path, value) in [("a", "1"), ("a/b", "0"), ("c", "0")] {
            fs::create_dir_all(root.join(path)).unwrap();
            fs::write(root.join(path).join("memory.oom.group"), value).unwrap();
        }
        let answers = ["/a/b", "/c", "/none"].map(|path| oom_group(&root, path));
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(answers, [Some(true), Some(false), None]);
    }
}
