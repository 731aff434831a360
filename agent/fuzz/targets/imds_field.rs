//! Answers of whatever stands at the address of the instance metadata service.
#![no_main]

use agent::imds::{Field, parse_field};
use libfuzzer_sys::fuzz_target;

const MOST_BYTES: usize = 300;

fuzz_target!(|answer: &[u8]| {
    for field in Field::ALL {
        match parse_field(field, answer) {
            // It becomes a column, and part of log lines.
            Ok(text) => {
                assert!(!text.is_empty() && text.len() <= MOST_BYTES);
                assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
            }
            Err(error) => assert!(error.to_string().len() <= 10 * MOST_BYTES, "{error}"),
        }
    }
});
