//! A refusal as an answer.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use protocol::{Refusal, RefusalKind};
use serde::Serialize;

use crate::{
    push::{NotTaken, Problem},
    status::Reason,
};

/// Bounds of what a peer is asked to wait, in seconds: drawn, so that not all come back at once.
const WAIT_SECONDS: std::ops::RangeInclusive<u8> = 1..=5;

/// A refusal, and how it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the peer is told.
    pub refusal: Refusal,
    /// How it is counted.
    pub reason: Reason,
    /// Whoever pushes is told this, in the published form.
    problems: Box<[Problem]>,
    /// Methods that there are, where it is for the method.
    allowed: &'static str,
}

/// A refusal as whoever pushes is told.
#[derive(Serialize)]
struct Told<'a> {
    status: &'static str,
    errors: &'a [Problem],
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
            reason: counted,
            ..refusal.into()
        }
    }

    /// For the method, where there are only these.
    pub(super) fn method(allowed: &'static str) -> Self {
        let reason = format!("method: there is {allowed}");
        Self {
            allowed,
            ..Self::new(RefusalKind::Method, reason)
        }
    }

    /// The same to whoever pushes: refusals begin with the field that is wrong.
    pub(super) fn published(mut self) -> Self {
        if self.problems.is_empty() {
            let reason = self.refusal.reason.as_str();
            let is_name = |text: &str| {
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            };
            let split = reason.split_once(": ").filter(|(field, _)| is_name(field));
            let (field, reason) = split.unwrap_or(("request", reason));
            self.problems = Box::new([Problem::new(field, reason)]);
        }
        self
    }

    fn body(&self) -> Vec<u8> {
        let told = match &*self.problems {
            [] => serde_json::to_vec(&self.refusal),
            errors => serde_json::to_vec(&Told {
                status: "error",
                errors,
            }),
        };
        told.unwrap_or_default()
    }

    /// Nothing is wrong with the request; it may come again.
    pub(super) fn passes(&self) -> bool {
        matches!(self.refusal.kind, RefusalKind::Busy | RefusalKind::TooMany)
    }

    /// The answer.
    pub(super) fn answer(&self) -> Response<Bytes> {
        let status = StatusCode::from_u16(self.refusal.kind.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Response::new(Bytes::from(self.body()));
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
                let allowed = HeaderValue::from_static(self.allowed);
                headers.insert(header::ALLOW, allowed);
            }
            _ => {}
        }
        answer
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.kind.into(),
            refusal,
            problems: Box::default(),
            allowed: "POST",
        }
    }
}

impl From<NotTaken> for Refused {
    fn from(not_taken: NotTaken) -> Self {
        let first = not_taken.problems.first();
        let reason = first.map(|problem| format!("{}: {}", problem.field, problem.reason));
        Self {
            problems: not_taken.problems.into(),
            ..Self::new(not_taken.kind, reason.unwrap_or_default())
        }
    }
}
