//! Who tells the addresses of the aggregators' host.

use std::{fmt, io, net::SocketAddr};

use futures_util::future::BoxFuture;

/// See the module.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// All addresses of a host.
    fn addresses(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
#[derive(Debug)]
pub struct System;

impl Lookup for System {
    fn addresses(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            Ok(found.collect())
        })
    }
}
