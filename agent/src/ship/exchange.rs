//! One request and its answer, on whichever way.

use std::time::Duration;

use bytes::Bytes;

use super::ShipError;
use crate::http::{HeaderMap, HeaderValue};

/// Digits of a wait; more are no number of seconds.
const MOST_DIGITS: usize = 9;

/// What is asked.
#[derive(Clone)]
pub(super) struct Post {
    /// An encoded message.
    pub body: Bytes,
    /// The token.
    pub authorization: Option<HeaderValue>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: ShipError,
    /// Whether another way may do better.
    pub is_of_the_way: bool,
}

impl Failure {
    pub fn of_the_way(error: impl Into<ShipError>) -> Self {
        Self {
            error: error.into(),
            is_of_the_way: true,
        }
    }

    pub fn on_any_way(error: impl Into<ShipError>) -> Self {
        Self {
            error: error.into(),
            is_of_the_way: false,
        }
    }
}

/// What `Retry-After` asks for. Dates are not understood: they would need equal clocks.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let is_number = text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_number)?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_seconds_are_a_wait() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static(text));
            retry_after(&headers)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("120 "), Some(Duration::from_secs(120)));
        for text in [
            "",
            "-1",
            "+1",
            "1.5",
            "9999999999999999999999",
            "Wed, 21 Oct 2026 07:28:00 GMT",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
