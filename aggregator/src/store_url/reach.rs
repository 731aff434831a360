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
            let why = Why::of(&source);
            let advice = why.advice();
            if why.is_final() || Instant::now() + patience.pause >= end {
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

/// Why a store can't be used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    NoBucket,
    NotLetIn,
    Elsewhere,
    NotUnderstood,
    NoCredentials,
    Away,
}

impl Why {
    /// The library has no kinds for what a listing fails with: its words are all there is.
    fn of(error: &Error) -> Self {
        let words = error_chain(error);
        let is_status = |status: u16| words.contains(&format!("status code: {status}"));
        match error {
            Error::NotFound { .. } => Self::NoBucket,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Self::NotLetIn,
            _ if words.contains(METADATA) => Self::NoCredentials,
            _ if is_status(404) => Self::NoBucket,
            _ if is_status(403) || is_status(401) => Self::NotLetIn,
            _ if words.contains("redirect without LOCATION") => Self::Elsewhere,
            _ if is_status(400) => Self::NotUnderstood,
            _ => Self::Away,
        }
    }

    /// Waiting can't mend it. Credentials of an instance may be late.
    fn is_final(self) -> bool {
        !matches!(self, Self::Away | Self::NoCredentials)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::NoBucket => "there is no such bucket: make it, or correct --store or S3_BUCKET",
            Self::NotLetIn => {
                "the store does not let this process in: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 what the role may do (s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject)"
            }
            Self::Elsewhere => "the bucket is in another region: set AWS_REGION to it",
            Self::NotUnderstood => {
                "the store does not understand what it is asked: check AWS_REGION, AWS_ENDPOINT_URL and the \
                 bucket's name"
            }
            Self::NoCredentials => {
                "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a role"
            }
            Self::Away => "check AWS_ENDPOINT_URL, and that the network lets this process out",
        }
    }
}

/// Where credentials of an instance are asked for when none are told.
const METADATA: &str = "169.254.169.254";
