//! A configuration file: settings, or every problem of it told.
#![no_main]

use std::path::Path;

use agent::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = Some((Path::new("podledger.yaml"), text));
    if let Err(error) = Config::load(file, &|_| None) {
        assert!(!error.to_string().is_empty());
    }
});
