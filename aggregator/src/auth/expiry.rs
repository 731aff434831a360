//! When a service account's token ends, as it says itself. Nothing here proves that it is genuine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::token::Token;

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
}

/// What a token says of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// It is no token of a service account.
    NoJwt,
    /// It says nothing.
    Untold,
    /// It ends so long after now; zero if it has ended.
    In(Duration),
}

impl Expiry {
    /// Of a token at a time.
    pub(super) fn of(token: &Token<'_>, now: SystemTime) -> Self {
        let mut parts = token.secret().split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Self::NoJwt;
        };
        let decoded = decode(claims.as_bytes());
        let claims = decoded.and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
        let Some(claims) = claims else {
            return Self::NoJwt;
        };
        let Some(end) = claims.exp else {
            return Self::Untold;
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::try_from_secs_f64(end - now.as_secs_f64());
        // Negative is over, too large is for ever.
        Self::In(left.unwrap_or(if end > 0.0 && end > now.as_secs_f64() {
            Duration::MAX
        } else {
            Duration::ZERO
        }))
    }
}

/// Base64 of the kind that URLs may hold, without padding.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
        }
    }
    (count != 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn of(text: &str, now: u64) -> Expiry {
        Expiry::of(&Token::new(text).unwrap(), at(now))
    }

    #[test]
    fn base64_of_urls() {
        assert_eq!(decode(b"").unwrap(), b"");
        assert_eq!(decode(b"Zg").unwrap(), b"f");
        assert_eq!(decode(b"Zm8").unwrap(), b"fo");
        assert_eq!(decode(b"Zm9vYmFy").unwrap(), b"foobar");
        assert_eq!(decode(b"-_-_").unwrap(), [0xfb, 0xff, 0xbf]);
        for bad in ["Z", "Zm9v=", "Zm9+", "Zm9/", "Zg=="] {
            assert!(decode(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_end_is_read() {
        // {"exp":1000}
        let token = "e30.eyJleHAiOjEwMDB9.x";
        assert_eq!(of(token, 400), Expiry::In(Duration::from_secs(600)));
        assert_eq!(of(token, 1_000), Expiry::In(Duration::ZERO));
        assert_eq!(of(token, 2_000), Expiry::In(Duration::ZERO));
        // {"exp":1e300}
        assert_eq!(
            of("e30.eyJleHAiOjFlMzAwfQ.x", 400),
            Expiry::In(Duration::MAX)
        );
        assert_eq!(of("e30.e30.x", 400), Expiry::Untold);
    }

    #[test]
    fn other_tokens_are_told_apart() {
        for text in [
            "secret",
            "a.b.c",
            "e30.e30",
            "e30.e30.x.y",
            "..",
            "e30.bm8.x",
        ] {
            assert_eq!(of(text, 0), Expiry::NoJwt, "{text}");
        }
    }
}
