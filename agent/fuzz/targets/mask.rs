//! Log lines of foreign text: bounded, of one line, and without the token that was in it.
#![no_main]

use agent::http::mask;
use libfuzzer_sys::fuzz_target;

const MOST_BYTES: usize = 200;
const SECRET: &str = "c2VjcmV0LXRva2VuLW9mLWEtdGVzdA";

fuzz_target!(|parts: (&[u8], &[u8])| {
    let (before, after) = parts;
    let shown = mask::body(before, MOST_BYTES);
    assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
    // Escapes and what replaces a byte that is no text are longer than the byte.
    assert!(shown.len() <= MOST_BYTES * 10 + 40, "{} bytes", shown.len());

    let mut bytes = before.to_vec();
    bytes.extend_from_slice(b"\nAuthorization: Bearer ");
    bytes.extend_from_slice(SECRET.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(after);
    let shown = mask::text(&String::from_utf8_lossy(&bytes));
    assert!(!shown.contains(SECRET), "{shown:?}");
});
