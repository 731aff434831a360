//! The kubelet's answer: whatever it is, it becomes a summary or a short message.
#![no_main]

use agent::kubelet::Summary;
use libfuzzer_sys::fuzz_target;

/// A message goes to the log each time.
const MOST_MESSAGE_BYTES: usize = 2000;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = Summary::parse(bytes) {
        assert!(error.to_string().len() <= MOST_MESSAGE_BYTES, "{error}");
    }
});
