//! Why the API server gave no answer.

use std::{io, path::PathBuf, time::Duration};

/// Why there is no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("reading this pod's {what} in {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the CA in {}: {reason}", path.display())]
    Ca { path: PathBuf, reason: String },
    #[error("connecting to the API server {host}:{port}")]
    Connect {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("the API server's name {0} is none")]
    Name(String),
    #[error("asking the API server")]
    Broken(#[source] hyper::Error),
    #[error("making the question: {0}")]
    Question(String),
    #[error("the API server's answer broke off")]
    Cut(#[source] hyper::Error),
    #[error("the API server's answer ends in the middle of a line")]
    Unfinished,
    #[error("the API server's answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("nothing came from the API server within {} s", .0.as_secs_f32())]
    Time(Duration),
}
