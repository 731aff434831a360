//! The few operations on a store that the lake uses, each tried again until it succeeds or its time
//! is over.
//!
//! A put-if-absent is tried again as well. If the answer of the first was lost, the second is told that
//! the name is taken: so "taken" says nothing about by whom, and whoever asks has to look.

mod pace;

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStore, PutMode, PutOptions, PutPayload, Result, path::Path,
};
use tokio::time::{Instant, sleep, timeout};

use super::{LakeError, counters::Counters, random::Random};
use pace::Pace;

pub use pace::Rates;

/// Objects that S3 deletes in one request.
const DELETED_AT_ONCE: usize = 1_000;

/// How a store is asked again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// For one answer.
    pub answer: Duration,
    /// For all tries of one operation.
    pub operation: Duration,
    /// Pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How many requests are made in a second.
    pub rates: Rates,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            operation: Duration::from_secs(120),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            rates: Rates::default(),
        }
    }
}

/// Outcome of a put-if-absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// This very put made the object.
    Surely,
    /// There is one: of anybody, this process included.
    Taken,
}

/// See the module.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    retry: Retry,
    pace: Arc<Pace>,
    random: Arc<Random>,
    counters: Arc<Counters>,
}

impl Store {
    /// On top of a store whose client does not retry by itself.
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        retry: Retry,
        random: Arc<Random>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            inner,
            retry,
            pace: Arc::new(Pace::new(retry.rates)),
            random,
            counters,
        }
    }

    /// The whole of an object, if there is one.
    pub async fn get(&self, path: &Path) -> Result<Option<Bytes>, LakeError> {
        let read = self
            .again("reading", path, || async {
                let object = self.inner.get_opts(path, GetOptions::default()).await?;
                object.bytes().await
            })
            .await;
        match read {
            Err(Error::NotFound { .. }) => Ok(None),
            other => other.map(Some).map_err(failed("reading", path)),
        }
    }

    /// Parts of an object that is there.
    pub async fn ranges(
        &self,
        path: &Path,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, LakeError> {
        self.again("reading", path, || self.inner.get_ranges(path, ranges))
            .await
            .map_err(failed("reading", path))
    }

    /// Puts an object of a name that nobody else uses.
    pub async fn put(&self, path: &Path, content: &Bytes) -> Result<(), LakeError> {
        self.again("writing", path, || async {
            let options = PutOptions::from(PutMode::Overwrite);
            self.inner
                .put_opts(path, content.clone().into(), options)
                .await
        })
        .await
        .map(drop)
        .map_err(failed("writing", path))
    }

    /// Puts an object, unless there is one of that name.
    pub async fn create(&self, path: &Path, content: &Bytes) -> Result<Created, LakeError> {
        let put = self
            .again("creating", path, || async {
                let payload = PutPayload::from(content.clone());
                let options = PutOptions::from(PutMode::Create);
                self.inner.put_opts(path, payload, options).await
            })
            .await;
        match put {
            Ok(_) => Ok(Created::Surely),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Created::Taken),
            Err(error) => Err(failed("creating", path)(error)),
        }
    }

    /// Puts an object of several pieces under a name that nobody else uses.
    pub async fn put_pieces(&self, path: &Path, pieces: &[Bytes]) -> Result<(), LakeError> {
        self.again("writing", path, || async {
            let payload: PutPayload = pieces.iter().cloned().collect();
            let options = PutOptions::from(PutMode::Overwrite);
            self.inner.put_opts(path, payload, options).await
        })
        .await
        .map(drop)
        .map_err(failed("writing", path))
    }

    /// Deletes objects in this order; those that are not there are no error. How many there were.
    pub async fn delete(&self, paths: Vec<Path>) -> Result<usize, LakeError> {
        let many = paths.len();
        for some in paths.chunks(DELETED_AT_ONCE) {
            let Some(first) = some.first() else {
                continue;
            };
            self.again("deleting", first, || async {
                let paths = stream::iter(some.to_vec()).map(Ok).boxed();
                let mut deleted = self.inner.delete_stream(paths);
                while let Some(one) = deleted.next().await {
                    match one {
                        Ok(_) | Err(Error::NotFound { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            })
            .await
            .map_err(failed("deleting", first))?;
        }
        Ok(many)
    }

    /// All objects below a folder, or those that come after a name in it; in no order.
    pub async fn list(
        &self,
        folder: &Path,
        after: Option<&str>,
    ) -> Result<Vec<ObjectMeta>, LakeError> {
        let offset = after.map(|name| folder.clone().join(name));
        self.again("listing", folder, || async {
            let objects = match &offset {
                Some(offset) => self.inner.list_with_offset(Some(folder), offset),
                None => self.inner.list(Some(folder)),
            };
            objects.try_collect().await
        })
        .await
        .map_err(failed("listing", folder))
    }

    async fn again<T, F>(
        &self,
        doing: &'static str,
        path: &Path,
        operation: impl Fn() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let end = Instant::now() + self.retry.operation;
        let mut pause = self.retry.first_pause;
        loop {
            self.pace.turn().await;
            let error = match timeout(self.retry.answer, operation()).await {
                Ok(Err(error)) if may_pass(&error) => error,
                Ok(answer) => {
                    self.pace.answered();
                    return answer;
                }
                Err(elapsed) => Error::Generic {
                    store: "no answer",
                    source: Box::new(elapsed),
                },
            };
            self.pace.refused();
            let wait = self.random.jitter(pause);
            if Instant::now() + wait >= end {
                return Err(error);
            }
            self.counters.retries.add(1);
            log::debug!("{doing} {path} failed, again in {wait:?}: {error}");
            sleep(wait).await;
            pause = (pause * 2).min(self.retry.longest_pause);
        }
    }
}

/// What another try may mend: throttling, a server's fault, a lost connection. The client tells all of
/// them in one kind.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Generic { .. } | Error::JoinError { .. })
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(Error) -> LakeError {
    let path = path.to_string();
    move |source| LakeError::Store {
        doing,
        path,
        source,
    }
}
