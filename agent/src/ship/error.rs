//! Why nothing was delivered, in words that say what to do.

use std::{path::PathBuf, time::Duration};

use protocol::{Refusal, RefusalKind};

use crate::http::{HttpError, mask};

const MOST_REASON_BYTES: usize = 500;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// No exchange.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// UDP goes out and nothing comes back.
    #[error(
        "{endpoint}: nothing came back by UDP within {after:?}; is UDP to this port let through, by \
         network policies and security groups too?"
    )]
    Silent {
        /// Who is silent.
        endpoint: String,
        /// For how long.
        after: Duration,
    },
    /// The CA bundle is of no use.
    #[error(
        "the CA bundle {path}: {reason}; give aggregator.ca_file the CA that signs the aggregator's certificate"
    )]
    Ca {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The token is of no use.
    #[error("the token file {path}: {reason}; is the projected token mounted and readable?")]
    Token {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The aggregator said no.
    #[error("{endpoint} refuses ({status}): {reason}{}", advice(*kind))]
    Refused {
        /// Who.
        endpoint: String,
        /// The status.
        status: u16,
        /// What kind of refusal.
        kind: RefusalKind,
        /// Its words.
        reason: String,
    },
    /// A status that is not an aggregator's.
    #[error(
        "{endpoint} answers {status} without a reason; is it the aggregator, or something in between?"
    )]
    Status {
        /// Who.
        endpoint: String,
        /// The status.
        status: u16,
    },
    /// The answer can't be read.
    #[error(
        "{endpoint} gives an answer that can't be read: {reason}; is it an aggregator, and of which version?"
    )]
    Answer {
        /// Who.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ShipError {
    /// A refusal by the aggregator.
    pub(super) fn refused(endpoint: &impl ToString, status: u16, refusal: &Refusal) -> Self {
        Self::Refused {
            endpoint: endpoint.to_string(),
            status,
            kind: refusal.kind,
            reason: mask::body(refusal.reason.as_bytes(), MOST_REASON_BYTES),
        }
    }

    /// Whether another address may do better.
    pub(super) fn is_of_the_address(&self) -> bool {
        match self {
            Self::Http(error) => !matches!(error, HttpError::TooLarge { .. }),
            Self::Silent { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            Self::Refused { kind, .. } => matches!(kind, RefusalKind::Busy | RefusalKind::TooMany),
            Self::Ca { .. } | Self::Token { .. } | Self::Answer { .. } => false,
        }
    }

    /// The kind under which it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(error) => error.kind(),
            Self::Silent { .. } => "silent",
            Self::Ca { .. } => "ca_file",
            Self::Token { .. } => "token_file",
            Self::Refused { kind, .. } => refusal(*kind),
            Self::Status { .. } => "status",
            Self::Answer { .. } => "answer",
        }
    }
}

/// The kind as it is counted.
const fn refusal(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Malformed => "malformed",
        RefusalKind::UnknownVersion => "unknown_version",
        RefusalKind::Unauthorized => "unauthorized",
        RefusalKind::Forbidden => "forbidden",
        RefusalKind::NotFound => "not_found",
        RefusalKind::Method => "method",
        RefusalKind::TooSlow => "too_slow",
        RefusalKind::UnknownEpoch => "unknown_epoch",
        RefusalKind::TooLarge => "too_large",
        RefusalKind::MediaType => "media_type",
        RefusalKind::BadBatch => "bad_batch",
        RefusalKind::BadTime => "bad_time",
        RefusalKind::TooMany => "too_many",
        RefusalKind::Busy => "busy",
    }
}

const fn advice(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Unauthorized => {
            "; is aggregator.token_file the token that it expects, with its audience?"
        }
        RefusalKind::Forbidden => {
            "; the token must be of a pod on this very node, and of a service account that it takes"
        }
        RefusalKind::UnknownVersion => "; upgrade the aggregator first, then the agents",
        RefusalKind::UnknownEpoch => {
            "; if this lasts, the aggregator's tables are not those that this spool was sent to before"
        }
        RefusalKind::NotFound | RefusalKind::Method | RefusalKind::MediaType => {
            "; is aggregator.endpoint the aggregator's address for agents?"
        }
        RefusalKind::TooMany | RefusalKind::Busy => "; the batches wait in the spool meanwhile",
        _ => "",
    }
}
