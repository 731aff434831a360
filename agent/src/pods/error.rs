//! Why the API server was of no help.

use std::{error::Error as StdError, io, path::PathBuf, time::Duration};

use crate::{error_chain, http::mask};

const MOST_SHOWN_BYTES: usize = 300;

/// A request that failed. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Neither configured nor told by the environment.
    #[error(
        "no API server is known: set its URL, or run in a pod, where KUBERNETES_SERVICE_HOST tells it"
    )]
    NoServer,
    /// Nothing tells whose pods are meant.
    #[error("this node's name is not known: set it from spec.nodeName of the agent's own pod")]
    NoNode,
    /// The address is none.
    #[error("the API server's address is of no use: {0}")]
    Address(String),
    /// The token can't be had.
    #[error("cannot use {path} as token: {reason}; is the service account mounted?")]
    Token {
        /// File.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The CA bundle can't be had.
    #[error("cannot use {path} as CA bundle: {reason}; is the service account mounted?")]
    Ca {
        /// File.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No connection.
    #[error("cannot reach the API server: {0}; the agent tries again")]
    Connect(String),
    /// The connection broke.
    #[error("the API server's answer broke off: {0}; the agent tries again")]
    Broken(String),
    /// No trust.
    #[error("no trust in the API server: {0}; does the CA bundle belong to this cluster?")]
    Tls(String),
    /// Nothing came.
    #[error("nothing came from the API server for {} s; the agent tries again", .0.as_secs_f32())]
    Timeout(Duration),
    /// 401.
    #[error("the API server does not know the agent's token (401); the file is read again")]
    Unauthorized,
    /// 403.
    #[error("{rule} is missing in the agent's ClusterRole (403): {message}")]
    Forbidden {
        /// What the role must allow.
        rule: &'static str,
        /// The server's words.
        message: String,
    },
    /// 410.
    #[error(
        "the API server forgot the changes since the last ones seen (410); pods are listed anew"
    )]
    Gone,
    /// 429.
    #[error("the API server is busy (429); the agent waits")]
    Throttled {
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// Any other status.
    #[error("the API server answered {status}: {message}")]
    Status {
        /// Of HTTP, or of an error among the events.
        status: u16,
        /// The server's words.
        message: String,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is none.
    #[error("the API server's answer can't be read: {0}")]
    Json(String),
    /// The answer is larger than it may be.
    #[error("the API server's answer is larger than {most_bytes} bytes")]
    TooLarge {
        /// The bound.
        most_bytes: usize,
    },
}

impl ApiError {
    /// Under which it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } | Self::Unauthorized => "unauthorized",
            Self::NoServer
            | Self::NoNode
            | Self::Address(_)
            | Self::Connect(_)
            | Self::Broken(_) => "connect",
            Self::Ca { .. } | Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Forbidden { .. } => "forbidden",
            Self::Gone => "gone",
            Self::Throttled { .. } => "throttled",
            Self::Status { .. } => "server",
            Self::Json(_) | Self::TooLarge { .. } => "json",
        }
    }

    /// How long the server asked to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What was seen up to now can't be gone on from.
    pub(super) fn needs_list(&self) -> bool {
        match self {
            Self::Gone | Self::Json(_) | Self::TooLarge { .. } => true,
            // 504 is also said of versions that the server does not have yet, say after a restore of etcd.
            Self::Status { status, .. } => *status < 500 || *status == 504,
            _ => false,
        }
    }

    /// Of a request that got no answer.
    pub(super) fn of_transport(error: &kube::Error) -> Self {
        let text = mask::body(error_chain(error).as_bytes(), MOST_SHOWN_BYTES);
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(inner) = next {
            if inner.is::<rustls::Error>() {
                return Self::Tls(text);
            }
            next = match inner
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                // Its own source is what lies behind this one.
                Some(wrapped) => Some(wrapped),
                None => inner.source(),
            };
        }
        Self::Connect(text)
    }

    /// The server's words, as far as they may be shown.
    pub(super) fn said(body: &[u8]) -> String {
        mask::body(body, MOST_SHOWN_BYTES)
    }
}
