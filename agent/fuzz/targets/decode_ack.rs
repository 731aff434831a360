//! Answers of an aggregator: what is read is the same when it is written and read once more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{decode_ack, encode_ack};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ack) = decode_ack(bytes) {
        assert_eq!(decode_ack(&encode_ack(&ack)), Ok(ack));
    }
});
