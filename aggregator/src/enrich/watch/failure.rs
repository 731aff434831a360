//! Why a watch does not go on, and what follows from it.

use std::time::Duration;

use crate::{cluster::ApiError, status::label::label};

label! {
    /// Under which a failure is counted.
    Reason {
        /// No connection, or no trust in the server.
        Connect = "connect",
        /// The connection or the answer broke off.
        Broken = "broken",
        /// Nothing came.
        Silent = "silent",
        /// 401.
        Unauthorized = "unauthorized",
        /// 403.
        Forbidden = "forbidden",
        /// 410.
        Gone = "gone",
        /// 429.
        Throttled = "throttled",
        /// Any other status.
        Server = "server",
        /// The server knows no streaming lists: pages are asked for instead.
        NoStreaming = "no_streaming",
        /// An answer or an event that can't be read.
        Malformed = "malformed",
        /// A page or an object beyond its bound.
        TooLarge = "too_large",
        /// An object that can't be kept.
        Odd = "odd",
    }
}

/// See the module. The text tells what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No answer, or no whole one.
    #[error("{}", crate::error_chain(.0))]
    Api(#[from] ApiError),
    /// 401.
    #[error("the API server does not know this pod's token (401); it is read again each time")]
    Unauthorized,
    /// 403.
    #[error("{rule} is missing in the aggregator's ClusterRole (403): {told}")]
    Forbidden { rule: &'static str, told: String },
    /// 410.
    #[error("the API server forgot the changes since the last ones seen (410): it is listed anew")]
    Gone,
    /// 429.
    #[error("the API server is busy (429)")]
    Throttled { retry_after: Option<Duration> },
    /// Any other status.
    #[error("the API server answered {status}: {told}")]
    Status {
        status: u16,
        told: String,
        retry_after: Option<Duration>,
    },
    /// A plain watch was the answer, or a refusal.
    #[error("the API server knows no streaming lists: it is listed in pages")]
    NoStreaming,
    /// A streaming list that ended before its last object.
    #[error("the list ended before it was whole: it is listed in pages")]
    EndedEarly,
    /// Not what the API server says.
    #[error("the API server's answer can't be read: {0}")]
    Malformed(String),
}

impl Failure {
    /// What a status means, be it HTTP's or that of an event.
    pub(super) fn of_status(
        status: u16,
        told: String,
        retry_after: Option<Duration>,
        rule: &'static str,
    ) -> Self {
        match status {
            401 => Self::Unauthorized,
            403 => Self::Forbidden { rule, told },
            410 => Self::Gone,
            429 => Self::Throttled { retry_after },
            _ => Self::Status {
                status,
                told,
                retry_after,
            },
        }
    }

    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Api(error) => match error {
                ApiError::Cut(_) | ApiError::Broken(_) | ApiError::Unfinished => Reason::Broken,
                ApiError::Time(_) => Reason::Silent,
                ApiError::TooLarge(_) => Reason::TooLarge,
                ApiError::File { what: "token", .. } | ApiError::Question(_) => {
                    Reason::Unauthorized
                }
                ApiError::File { .. }
                | ApiError::Ca { .. }
                | ApiError::Connect { .. }
                | ApiError::Name(_) => Reason::Connect,
            },
            Self::Unauthorized => Reason::Unauthorized,
            Self::Forbidden { .. } => Reason::Forbidden,
            Self::Gone => Reason::Gone,
            Self::Throttled { .. } => Reason::Throttled,
            Self::Status { .. } => Reason::Server,
            Self::NoStreaming => Reason::NoStreaming,
            Self::EndedEarly => Reason::Broken,
            Self::Malformed(_) => Reason::Malformed,
        }
    }

    /// How long the server asks to wait.
    pub(super) fn retry_after(&self) -> Duration {
        let told = match self {
            Self::Throttled { retry_after } | Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        told.unwrap_or_default()
    }

    /// What was seen up to now can't be gone on from.
    pub(super) fn needs_list(&self) -> bool {
        match self {
            Self::Gone | Self::Malformed(_) => true,
            // 504 is also said of versions that the server does not have yet, say after a restore of etcd.
            Self::Status { status, .. } => *status < 500 || *status == 504,
            _ => false,
        }
    }
}
