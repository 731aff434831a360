//! A store of objects from a URL: `s3://bucket/prefix`, `file:///directory`, or `memory:`.

mod durable;
mod reach;

use std::{path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut},
    memory::InMemory,
    path::Path,
};
use url::Url;

use durable::Directory;

pub use reach::Patience;

/// For one request, its body included: the largest file of a table may take its time. Who waits for less
/// gives up sooner.
const REQUEST_TIME: Duration = Duration::from_secs(300);
/// Where buckets are when nobody tells.
const REGION: &str = "us-east-1";
/// For a connection to the store.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The text is no URL of a store. It is not shown: it may hold a secret.
    #[error("{0}: write s3://bucket/prefix, file:///directory, or memory:")]
    Url(&'static str),
    /// The prefix can't be one.
    #[error("the prefix of the store")]
    Prefix(#[source] object_store::path::Error),
    /// The store does not answer, or lets nobody in.
    #[error("{what}: {advice}")]
    Unreachable {
        /// Which.
        what: String,
        /// What to do.
        advice: &'static str,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// The store can't be opened.
    #[error("opening the store {what}")]
    Open {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

/// Which store, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A bucket of S3, or of what speaks like it.
    S3 {
        /// Its name.
        bucket: String,
        /// What all names in it begin with.
        prefix: Path,
    },
    /// A directory of this machine.
    Directory(PathBuf),
    /// Nothing outlives the process: for tests.
    Memory,
}

impl StoreUrl {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let url = Url::parse(text).map_err(|_| StoreError::Url("this is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(StoreError::Url(
                "a URL may hold no secret; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(StoreError::Url("there is something after ? or #"));
        }
        match (url.scheme(), url.host_str()) {
            ("s3", Some(bucket)) => Self::s3(bucket, url.path()),
            ("s3", None) => Err(StoreError::Url("the bucket is missing")),
            ("file", None) => match url.to_file_path() {
                Ok(path) if path.parent().is_some() => Ok(Self::Directory(path)),
                _ => Err(StoreError::Url("the directory is missing")),
            },
            ("file", Some(_)) => Err(StoreError::Url("file: needs three slashes")),
            ("memory", _) => Ok(Self::Memory),
            _ => Err(StoreError::Url("nobody knows this kind of store")),
        }
    }

    /// A bucket and a prefix, with or without slashes around it.
    pub fn s3(bucket: &str, prefix: &str) -> Result<Self, StoreError> {
        let prefix = Path::from_url_path(prefix).map_err(StoreError::Prefix)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if bucket.is_empty() || !bucket.bytes().all(is_name) {
            return Err(StoreError::Url("the bucket's name is none"));
        }
        let bucket = bucket.to_owned();
        Ok(Self::S3 { bucket, prefix })
    }

    /// Opens it. `environment` tells region, endpoint and credentials of S3, all of them variables
    /// that begin with `AWS_`. Nothing is asked of the store yet.
    pub fn open(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
        let failed = |source| StoreError::Open {
            what: self.to_string(),
            source,
        };
        match self {
            Self::S3 { bucket, prefix } => {
                let store = s3(bucket, environment).build().map_err(failed)?;
                Ok((Arc::new(store), prefix.clone()))
            }
            Self::Directory(path) => {
                let store = Directory::open(path).map_err(failed)?;
                Ok((Arc::new(store), Path::default()))
            }
            Self::Memory => Ok((Arc::new(InMemory::new()), Path::default())),
        }
    }
}

impl std::fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::S3 { bucket, prefix } => write!(out, "s3://{bucket}/{prefix}"),
            Self::Directory(path) => write!(out, "file://{}", path.display()),
            Self::Memory => out.write_str("memory:"),
        }
    }
}

fn s3(bucket: &str, environment: impl IntoIterator<Item = (String, String)>) -> AmazonS3Builder {
    let mut options = ClientOptions::new()
        .with_timeout(REQUEST_TIME)
        .with_connect_timeout(CONNECT_TIME);
    let mut builder = AmazonS3Builder::new();
    // An empty variable is as good as none: charts write those.
    let told = environment
        .into_iter()
        .filter(|(_, value)| !value.is_empty());
    for (name, value) in told {
        let name = name.to_ascii_lowercase();
        if name.starts_with("aws_endpoint_url") && value.starts_with("http://") {
            // Whoever writes http means it.
            options = options.with_allow_http(true);
        }
        let key: Result<AmazonS3ConfigKey, _> = name.parse();
        // How clients behave is decided here.
        if let Ok(key) = key
            && !matches!(key, AmazonS3ConfigKey::Client(_))
            && name.starts_with("aws_")
        {
            builder = builder.with_config(key, value);
        }
    }
    if builder
        .get_config_value(&AmazonS3ConfigKey::Region)
        .is_none()
    {
        builder = builder.with_region(REGION);
    }
    builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(options)
        // The commit above tries again, with a view to what is known by then and to how often.
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
}

#[cfg(test)]
mod tests;
