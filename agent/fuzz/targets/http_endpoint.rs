//! An address from the configuration.
#![no_main]

use agent::http::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Endpoint::parse(text) {
        assert!(!error.to_string().is_empty());
    }
});
