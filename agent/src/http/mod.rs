//! A small HTTP/1.1 client for one endpoint: every wait and every size has a bound.

mod client;
#[cfg(test)]
mod client_tests;
mod debug;
mod endpoint;
mod error;
pub mod mask;
pub mod secret_file;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod tls;

pub use client::{Answer, Client, Request, Settings};
pub use endpoint::Endpoint;
pub use error::HttpError;
pub use hyper::{
    HeaderMap, Method, StatusCode,
    header::{HeaderName, HeaderValue},
};
