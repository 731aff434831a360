//! What can go wrong between a request and its answer, in plain words.

use std::{error::Error as _, io, time::Duration};

use super::{Endpoint, mask};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The setting is wrong.
    #[error("the address {url:?} is not usable: {reason}")]
    Endpoint {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection.
    #[error("cannot connect to {endpoint}: {reason}")]
    Connect {
        /// Whom to.
        endpoint: String,
        /// Why not, and what to look at.
        reason: String,
    },
    /// Connected, but not in a way that can be trusted.
    #[error("no TLS with {endpoint}: {reason}")]
    Tls {
        /// Whom with.
        endpoint: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// Something took too long.
    #[error("{endpoint}: {what} took longer than {after:?}")]
    Timeout {
        /// Who did not answer.
        endpoint: String,
        /// What was waited for.
        what: &'static str,
        /// For how long.
        after: Duration,
    },
    /// More than was asked for.
    #[error("the answer of {endpoint} is larger than {most_bytes} bytes")]
    TooLarge {
        /// Who answered.
        endpoint: String,
        /// The limit.
        most_bytes: usize,
    },
    /// The answer is none.
    #[error("the answer of {endpoint} is broken: {reason}")]
    Broken {
        /// Who answered.
        endpoint: String,
        /// In what way.
        reason: String,
    },
}

impl HttpError {
    /// The kind under which sources count it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } | Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::Broken { .. } => "broken",
        }
    }

    pub(crate) fn connect(endpoint: &Endpoint, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "; nothing listens there: is it running, is the port right?"
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                "; no route leads there"
            }
            io::ErrorKind::PermissionDenied => "; a policy of this host forbids it",
            _ => "",
        };
        Self::Connect {
            endpoint: endpoint.to_string(),
            reason: format!("{error}{advice}"),
        }
    }

    pub(crate) fn tls(endpoint: &Endpoint, reason: impl Into<String>) -> Self {
        Self::Tls {
            endpoint: endpoint.to_string(),
            reason: reason.into(),
        }
    }

    /// What went wrong on a connection: TLS may end it at any time, with TLS 1.3 after the first request.
    pub(super) fn broken(endpoint: &Endpoint, error: &hyper::Error) -> Self {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(reason) = super::tls::reason_of(inner) {
                return Self::tls(endpoint, reason);
            }
            source = inner.source();
        }
        let reason = if error.is_incomplete_message() {
            "the connection was closed before its end".to_owned()
        } else if error.is_parse_too_large() {
            "its headers are too large".to_owned()
        } else if error.is_parse() {
            format!("not HTTP/1.1 ({error}): is this the right port, http or https?")
        } else {
            crate::error_chain(error)
        };
        Self::Broken {
            endpoint: endpoint.to_string(),
            reason: mask::body(reason.as_bytes(), 300),
        }
    }
}
