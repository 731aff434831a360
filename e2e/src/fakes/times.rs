//! RFC 3339 in whole seconds, the way recorded answers tell times, as seconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// `2026-11-21T00:42:22Z` as seconds, if the text is a time of this form.
pub(super) fn parse(text: &str) -> Option<i64> {
    let looks_right = text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
    let time = looks_right.then(|| humantime::parse_rfc3339(text).ok())??;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// The other way.
pub(super) fn format(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

/// A time in whole seconds.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Replaces every time in `value` by what `new` makes of it.
pub(super) fn map(value: &mut Value, new: &impl Fn(i64) -> i64) {
    match value {
        Value::String(text) => {
            if let Some(time) = parse(text) {
                *text = format(new(time));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| map(value, new)),
        Value::Object(fields) => fields.values_mut().for_each(|value| map(value, new)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
