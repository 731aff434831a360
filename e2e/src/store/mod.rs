//! An S3 server for tests: the real protocol over files in a folder, with faults on demand. What is
//! written stays when it ends, so that a test can start it again on the same folder.

mod faults;
mod serve;
#[cfg(test)]
mod tests;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};
use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tokio::sync::watch;

pub use faults::{Counts, Faults, Rules};

/// The only bucket, there from the start.
pub const BUCKET: &str = "podledger";
/// Name of the only user.
pub const ACCESS_KEY: &str = "podledger-test";
/// What the user signs with: no secret, tests only.
pub const SECRET_KEY: &str = "podledger-test-key";
const REGION: &str = "us-east-1";

/// See the module. Ends when dropped.
pub struct S3Server {
    address: SocketAddr,
    faults: Faults,
    /// Closing it ends the server.
    closing: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Server {
    /// At a free port. Objects are files below `folder`; with the names of the server's own files,
    /// which hold a key in base64, a key has room for some 150 bytes.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_at(folder, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// At a given address.
    pub fn start_at(folder: &Path, address: SocketAddr) -> Result<Self> {
        let bucket = folder.join(BUCKET);
        fs::create_dir_all(&bucket).with_context(|| format!("making {}", bucket.display()))?;
        let listener =
            TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let faults = Faults::default();
        let server = serve::Server::new(folder, faults.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("making a runtime")?;
        let (closing, closed) = watch::channel(());
        let thread = thread::Builder::new()
            .name("s3".to_owned())
            .spawn(move || runtime.block_on(serve::accept(Arc::new(server), listener, closed)))?;
        Ok(Self {
            address,
            faults,
            closing: Some(closing),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The faults that it answers with.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What another process needs to reach it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// A client of its bucket that tries nothing twice.
    pub fn store(&self) -> Result<Arc<dyn ObjectStore>> {
        self.store_with(ClientOptions::new())
    }

    /// The same with other options.
    pub fn store_with(&self, options: ClientOptions) -> Result<Arc<dyn ObjectStore>> {
        let once = RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(self.endpoint())
            .with_client_options(options.with_allow_http(true))
            .with_region(REGION)
            .with_bucket_name(BUCKET)
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
            .with_retry(once)
            .build()
            .context("making a client of the S3 server")?;
        Ok(Arc::new(store))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.closing.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            crate::harness::say("warning: the S3 server's thread panicked");
        }
    }
}
