//! Quantities: never below zero, and millicores are never fewer than the same text's whole units.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::pod::{Unit, parse_quantity};

fuzz_target!(|text: &str| {
    let millicores = parse_quantity(text, Unit::Millicores);
    let bytes = parse_quantity(text, Unit::Bytes);
    assert!(millicores.is_none_or(|amount| amount >= 0));
    assert!(bytes.is_none_or(|amount| amount >= 0));
    if let (Some(millicores), Some(units)) = (millicores, bytes) {
        // Both are rounded up.
        let more = i128::from(units) * 1000 - i128::from(millicores);
        assert!(
            (0..1000).contains(&more),
            "{text:?}: {millicores} of {units}"
        );
    }
});
