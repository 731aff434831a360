//! Times as texts.

use std::time::{Duration, SystemTime};

use protocol::Timestamp;

/// As the older systems publish it: ISO 8601 in UTC, a fraction only where there is one.
pub fn iso(time: Timestamp) -> String {
    let at = system(time);
    match time.unix_us.rem_euclid(1_000_000) {
        0 => humantime::format_rfc3339_seconds(at).to_string(),
        _ => humantime::format_rfc3339_micros(at).to_string(),
    }
}

/// The day in UTC, as Delta writes it in a folder's name.
pub fn date(time: Timestamp) -> String {
    let mut text = humantime::format_rfc3339_seconds(system(time)).to_string();
    text.truncate("2024-01-01".len());
    text
}

/// Milliseconds, rounded as told: statistics of a table know no shorter time.
pub fn millis(unix_us: i64, is_up: bool) -> String {
    let ms = unix_us.div_euclid(1_000);
    let ms = match is_up && unix_us.rem_euclid(1_000) != 0 {
        true => ms.saturating_add(1),
        false => ms,
    };
    let time = Timestamp {
        unix_us: ms.saturating_mul(1_000),
    };
    humantime::format_rfc3339_millis(system(time)).to_string()
}

/// Before 1970 counts as 1970, after 9999 as its last second: no checked batch holds such a time.
fn system(time: Timestamp) -> SystemTime {
    const LAST: u64 = 253_402_300_799_000_000;
    let us = u64::try_from(time.unix_us).unwrap_or(0).min(LAST);
    SystemTime::UNIX_EPOCH + Duration::from_micros(us)
}
