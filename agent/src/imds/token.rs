//! The session token of `IMDSv2`, and how long it serves.

use std::time::{Duration, Instant};

use crate::http::{Answer, HeaderValue};

pub(super) const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
pub(super) const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";

/// The service's own limits.
const TTL_SECONDS: std::ops::RangeInclusive<u64> = 1..=21_600;
const MOST_BYTES: usize = 1_024;
/// Before its end, so that it does not end on the way.
const MARGIN: Duration = Duration::from_secs(60);

/// A token that was given out.
pub(super) struct Token {
    pub value: HeaderValue,
    serves_until: Instant,
}

/// As the service takes it.
pub(super) fn ttl_seconds(ttl: Duration) -> u64 {
    ttl.as_secs()
        .clamp(*TTL_SECONDS.start(), *TTL_SECONDS.end())
}

impl Token {
    /// From the answer to a request for `ttl_seconds`. The service may tell another time.
    pub fn of(answer: &Answer, ttl_seconds: u64, now: Instant) -> Option<Self> {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_.~".contains(byte);
        let text = &answer.body;
        if text.is_empty() || text.len() > MOST_BYTES || !text.iter().all(is_token) {
            return None;
        }
        let mut value = HeaderValue::from_bytes(text).ok()?;
        value.set_sensitive(true);
        let told: Option<u64> = answer
            .headers
            .get(TTL_HEADER)
            .and_then(|told| told.to_str().ok()?.parse().ok());
        let ttl = Duration::from_secs(told.unwrap_or(ttl_seconds).min(ttl_seconds));
        Some(Self {
            value,
            serves_until: now + ttl.saturating_sub(MARGIN.min(ttl / 10)),
        })
    }

    /// Whether it can be shown now.
    pub fn serves(&self, now: Instant) -> bool {
        now < self.serves_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeaderMap, StatusCode};

    fn answer(body: &[u8], ttl: Option<&'static str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(ttl) = ttl {
            headers.insert(TTL_HEADER, HeaderValue::from_static(ttl));
        }
        Answer {
            status: StatusCode::OK,
            headers,
            body: body.to_vec(),
        }
    }

    #[test]
    fn a_token_serves_until_shortly_before_its_end() {
        let now = Instant::now();
        let serves = |token: &Token, seconds| token.serves(now + Duration::from_secs(seconds));
        let token = Token::of(&answer(b"abc==", None), 21_600, now).unwrap();
        assert!(serves(&token, 21_539) && !serves(&token, 21_540));
        let token = Token::of(&answer(b"abc==", Some("100")), 21_600, now).unwrap();
        assert!(serves(&token, 89) && !serves(&token, 90));
        let token = Token::of(&answer(b"abc==", Some("99999999999")), 60, now).unwrap();
        assert!(!serves(&token, 60), "never longer than asked for");
        assert!(!format!("{:?}", token.value).contains("abc"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for wrong in [
            &b""[..],
            b"<html>",
            b"a b",
            b"a\r\nb",
            b"\xff",
            &[b'a'; 2_000],
        ] {
            assert!(Token::of(&answer(wrong, None), 60, Instant::now()).is_none());
        }
    }

    #[test]
    fn a_ttl_is_one_that_the_service_takes() {
        assert_eq!(ttl_seconds(Duration::ZERO), 1);
        assert_eq!(ttl_seconds(Duration::MAX), 21_600);
        assert_eq!(ttl_seconds(Duration::from_secs(300)), 300);
    }
}
