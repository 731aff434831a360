//! A store in memory that fails as it is told.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory,
    path::Path,
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Nothing is done, an error comes back.
    Refused,
    /// It is done, and an error comes back.
    AnswerLost,
    /// An error comes back at once; it is done later, if nobody was faster.
    Late(Duration),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Put,
    Get,
    List,
}

type Plan = Box<dyn FnMut(Asked, &Path) -> Fault + Send>;

pub struct Faulty {
    inner: Arc<InMemory>,
    plan: Mutex<Plan>,
    pub asked: Mutex<Vec<(Asked, String)>>,
}

impl Faulty {
    pub fn new(
        inner: Arc<InMemory>,
        plan: impl FnMut(Asked, &Path) -> Fault + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner,
            plan: Mutex::new(Box::new(plan)),
            asked: Mutex::default(),
        })
    }

    fn fault(&self, asked: Asked, path: &Path) -> Fault {
        self.asked.lock().unwrap().push((asked, path.to_string()));
        (self.plan.lock().unwrap())(asked, path)
    }
}

fn error() -> Error {
    Error::Generic {
        store: "faulty",
        source: "503".into(),
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Faulty")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        tokio::task::yield_now().await;
        match self.fault(Asked::Put, path) {
            Fault::None => self.inner.put_opts(path, payload, options).await,
            Fault::Refused => Err(error()),
            Fault::AnswerLost => {
                drop(self.inner.put_opts(path, payload, options).await);
                Err(error())
            }
            Fault::Late(time) => {
                let (inner, path) = (self.inner.clone(), path.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    drop(inner.put_opts(&path, payload, options).await);
                });
                Err(error())
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        tokio::task::yield_now().await;
        match self.fault(Asked::Get, path) {
            Fault::None => self.inner.get_opts(path, options).await,
            _ => Err(error()),
        }
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault(Asked::List, &prefix.cloned().unwrap_or_default()) {
            Fault::None => self.inner.list(prefix),
            _ => Box::pin(futures_util::stream::iter([Err(error())])),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault(Asked::List, &prefix.cloned().unwrap_or_default()) {
            Fault::None => self.inner.list_with_offset(prefix, offset),
            _ => Box::pin(futures_util::stream::iter([Err(error())])),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Ignores that a put was to make a new object.
#[derive(Debug)]
pub struct Overwriting(pub Arc<Faulty>);

impl fmt::Display for Overwriting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Overwriting")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Overwriting {
    async fn put_opts(&self, path: &Path, payload: PutPayload, _: PutOptions) -> Result<PutResult> {
        self.0.put_opts(path, payload, PutOptions::default()).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}
