//! A small client of the API server: HTTP/1.1 over TLS, token and CA of this pod read anew as they
//! rotate. Token reviews are posted; lists and watches are read as they come.

mod answer;
mod api;
mod connect;
mod error;
pub(crate) mod exchange;
mod lines;
pub(crate) mod mask;

pub(crate) use answer::Answer;
pub(crate) use api::Api;
pub(crate) use error::ApiError;
pub(crate) use lines::{Line, Lines, MOST_LINE_BYTES};
