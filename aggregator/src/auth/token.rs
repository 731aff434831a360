//! The token of a request. Nothing here shows one: neither a log nor an answer ever has it.

use std::fmt;

use http::{HeaderMap, header};
use protocol::RefusalKind;
use ring::digest;

use crate::ingest::Refused;

/// Longest token; a header line may not be longer anyway.
pub(super) const MOST_BYTES: usize = 16 << 10;

/// A bearer token.
pub(super) struct Token<'a>(&'a str);

/// What a token is known by: its SHA-256. Whoever measures how long a search for one takes learns
/// nothing of any token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl fmt::Debug for Token<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(hidden)")
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Digest(hidden)")
    }
}

impl<'a> Token<'a> {
    /// A text as a token, if it can be one.
    pub(super) fn new(text: &'a str) -> Option<Self> {
        let is_word = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_word && (1..=MOST_BYTES).contains(&text.len())).then_some(Self(text))
    }

    /// The token itself.
    pub(super) fn secret(&self) -> &'a str {
        self.0
    }

    pub(super) fn digest(&self) -> Digest {
        let digest = digest::digest(&digest::SHA256, self.0.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Digest(bytes)
    }
}

/// The token of a request's headers.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Token<'_>, Refused> {
    let refused = |reason| Refused::new(RefusalKind::Unauthorized, reason);
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Err(refused("authorization: there is none; send a bearer token"));
    };
    if lines.next().is_some() {
        return Err(refused("authorization: there is more than one"));
    }
    let split = line.to_str().ok().and_then(|line| line.split_once(' '));
    match split {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Token::new(token.trim())
            .ok_or_else(|| refused("authorization: the token is empty, too long, or not one word")),
        _ => Err(refused(
            "authorization: it must be `Bearer`, a space and a token",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let line = |text: &&str| (header::AUTHORIZATION, HeaderValue::from_str(text).unwrap());
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_bearer_token_is_found() {
        for line in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(&headers(&[line])).unwrap().secret(), "abc");
        }
    }

    #[test]
    fn anything_else_is_refused_and_never_shown() {
        let long = format!("Bearer {}", "x".repeat(MOST_BYTES + 1));
        let bad: [&[&str]; 7] = [
            &[],
            &["Bearer abc", "Bearer abc"],
            &["Basic abc"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer sec ret"],
            &[&long],
        ];
        for lines in bad {
            let refused = bearer(&headers(lines)).unwrap_err();
            assert_eq!(refused.refusal.kind, RefusalKind::Unauthorized, "{lines:?}");
            assert!(!refused.refusal.reason.contains("abc"));
        }
        let token = Token::new("secret").unwrap();
        assert!(!format!("{token:?} {:?}", token.digest()).contains("secret"));
        assert!(token.digest() == Token::new("secret").unwrap().digest());
        assert!(token.digest() != Token::new("Secret").unwrap().digest());
    }
}
