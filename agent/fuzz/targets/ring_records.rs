//! Records of the kernel's rings: steps in the lives of cgroups, whose paths anybody may name, and OOM
//! kills, whose victims anybody may name.
#![no_main]

use agent::kernel::{CgroupEvent, OomEvent};
use libfuzzer_sys::fuzz_target;

/// As long as the longest replacement of a byte that is no text.
const MOST_BYTES_PER_BYTE: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = CgroupEvent::decode(bytes) {
        assert!(event.path.len() <= bytes.len() * MOST_BYTES_PER_BYTE);
    }
    if let Ok(OomEvent::Exited { comm, .. }) = OomEvent::decode(bytes) {
        assert!(!comm.contains('\0'), "{comm:?}");
        assert!(comm.len() <= bytes.len() * MOST_BYTES_PER_BYTE);
    }
});
