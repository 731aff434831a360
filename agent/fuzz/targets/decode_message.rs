//! Requests: what is read is the same when it is written and read once more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{Limits, decode_message, encode_message};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = decode_message(bytes.to_vec().into(), &Limits::default()) {
        let again = decode_message(encode_message(&message).into(), &Limits::default());
        assert_eq!(again, Ok(message));
    }
});
