//! A refusal as an answer.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use protocol::{Refusal, RefusalKind};

use crate::status::Reason;

/// Bounds of what a peer is asked to wait, in seconds: drawn, so that not all come back at once.
const WAIT_SECONDS: std::ops::RangeInclusive<u8> = 1..=5;

/// A refusal, and how it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the peer is told.
    pub refusal: Refusal,
    /// How it is counted.
    pub reason: Reason,
}

impl Refused {
    /// A refusal that is counted as what it is.
    pub fn new(kind: RefusalKind, reason: impl Into<String>) -> Self {
        Self::because(kind, Reason::from(kind), reason)
    }

    /// One that passes.
    pub fn busy(counted: Reason, reason: impl Into<String>) -> Self {
        Self::because(RefusalKind::Busy, counted, reason)
    }

    fn because(kind: RefusalKind, counted: Reason, reason: impl Into<String>) -> Self {
        let refusal = Refusal {
            kind,
            reason: reason.into(),
            epoch: None,
            seq: None,
            index: None,
        };
        Self {
            refusal,
            reason: counted,
        }
    }

    /// Nothing is wrong with the request; it may come again.
    pub(super) fn passes(&self) -> bool {
        matches!(self.refusal.kind, RefusalKind::Busy | RefusalKind::TooMany)
    }

    /// The answer.
    pub(super) fn answer(&self) -> Response<Bytes> {
        let status = StatusCode::from_u16(self.refusal.kind.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.refusal).unwrap_or_default();
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        if self.passes() {
            let wait = rand::random_range(WAIT_SECONDS);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(wait)));
        }
        match self.refusal.kind {
            RefusalKind::Unauthorized => {
                let scheme = HeaderValue::from_static("Bearer");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            RefusalKind::Method => {
                let allowed = HeaderValue::from_static("POST");
                headers.insert(header::ALLOW, allowed);
            }
            _ => {}
        }
        answer
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.kind.into();
        Self { refusal, reason }
    }
}
