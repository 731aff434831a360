//! A cgroup's path, whose parts anybody with a cgroup of their own may name.
#![no_main]

use agent::cgroups;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let mut end = 0;
    for pod in cgroups::pod_paths(path) {
        assert!(
            pod.pod_end > end,
            "pods come from the outermost to the innermost"
        );
        assert!(path.is_char_boundary(pod.pod_end) && pod.pod_end <= path.len());
        assert!(!pod.uid.is_empty());
        end = pod.pod_end;
    }
});
