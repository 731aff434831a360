//! Whether a store is there and lets this process in: found out before anything that is tried for minutes, and
//! told in words that say what to do. What waiting can't mend ends the start at once.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use object_store::{Error, ObjectStore, path::Path};
use tokio::time::{Instant, sleep, timeout};

use super::{StoreError, StoreUrl};
use crate::error_chain;

/// How a store is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one answer.
    pub answer: Duration,
    /// For all of them.
    pub all: Duration,
    /// Between two tries.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            all: Duration::from_secs(30),
            pause: Duration::from_secs(2),
        }
    }
}

impl StoreUrl {
    /// Waits until the store answers. Only reads.
    pub async fn reach(
        &self,
        store: &dyn ObjectStore,
        prefix: &Path,
        patience: Patience,
    ) -> Result<(), StoreError> {
        let end = Instant::now() + patience.all;
        let mut is_told = false;
        loop {
            let Err(source) = look(store, prefix, patience.answer).await else {
                if is_told {
                    log::info!("{self} answers now");
                }
                return Ok(());
            };
            let advice = advice(&source);
            if is_final(&source) || Instant::now() + patience.pause >= end {
                let what = self.to_string();
                return Err(StoreError::Unreachable {
                    what,
                    advice,
                    source,
                });
            }
            if !is_told {
                let seconds = patience.all.as_secs();
                let reason = error_chain(&source);
                log::warn!(
                    "{self} does not answer: {advice}; it is tried for {seconds} s: {reason}"
                );
                is_told = true;
            }
            sleep(patience.pause).await;
        }
    }
}

/// Lists a folder that has one object at most.
async fn look(store: &dyn ObjectStore, prefix: &Path, time: Duration) -> Result<(), Error> {
    let folder = prefix.clone().join("_podledger");
    let looked = timeout(time, store.list(Some(&folder)).try_next()).await;
    let first = looked.map_err(|elapsed| Error::Generic {
        store: "no answer",
        source: Box::new(elapsed),
    })?;
    first.map(drop)
}

/// The library's kinds tell a refusal from a fault, but for what it has no kind for.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Generic { .. } => is_elsewhere(error) || is_status(error, "400"),
        Error::JoinError { .. } => false,
        _ => true,
    }
}

fn advice(error: &Error) -> &'static str {
    match error {
        Error::NotFound { .. } => {
            "there is no such bucket: make it, or correct --store or S3_BUCKET"
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            "the store does not let this process in: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
             what the role may do (s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject)"
        }
        error if is_elsewhere(error) => "the bucket is in another region: set AWS_REGION to it",
        error if is_status(error, "400") => {
            "the store does not understand what it is asked: check AWS_REGION, AWS_ENDPOINT_URL and the \
             bucket's name"
        }
        error if error_chain(error).contains(METADATA) => {
            "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a role"
        }
        _ => "check AWS_ENDPOINT_URL, and that the network lets this process out",
    }
}

/// Where credentials of an instance are asked for when none are told.
const METADATA: &str = "169.254.169.254";

fn is_elsewhere(error: &Error) -> bool {
    error_chain(error).contains("redirect without LOCATION")
}

fn is_status(error: &Error, status: &str) -> bool {
    error_chain(error).contains(&format!("status code: {status}"))
}
