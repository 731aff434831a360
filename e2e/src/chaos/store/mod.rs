//! An object store that fails as S3 and the way to it do, and never otherwise: what it acknowledged is
//! there, and whoever lists sees it.

pub mod bucket;
mod fate;
#[cfg(test)]
mod tests;

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, path::Path,
};
use tokio::sync::oneshot;

use self::{bucket::Bucket, fate::Fate};
use super::{life, world::World};

/// The store as one process sees it.
#[derive(Clone)]
pub struct Store {
    world: Arc<World>,
    bucket: Arc<Bucket>,
    owner: String,
    life: Arc<life::Fate>,
}

impl Store {
    /// For the process of this name and fate.
    pub fn new(
        world: &Arc<World>,
        bucket: &Arc<Bucket>,
        owner: String,
        life: &Arc<life::Fate>,
    ) -> Self {
        Self {
            world: Arc::clone(world),
            bucket: Arc::clone(bucket),
            owner,
            life: Arc::clone(life),
        }
    }

    fn note(&self, verb: &str, path: &Path, what: impl fmt::Debug) {
        let owner = &self.owner;
        self.world
            .note(format_args!("{owner} {verb} {path}: {what:?}"));
    }

    /// The process dies in this request.
    async fn die<T>(&self) -> T {
        self.life.end();
        std::future::pending().await
    }

    /// What a read is answered by, after its time.
    async fn read<T>(
        &self,
        verb: &str,
        path: &Path,
        read: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let fate = Fate::of_read(&self.world);
        self.bucket.asked();
        self.note(verb, path, fate);
        let slowness = self.world.profile.store.slowness;
        if fate == Fate::DeathBefore {
            return self.die().await;
        }
        self.world.linger(slowness).await;
        let found = match fate {
            Fate::Refused => Err(fate::failure(&self.world)),
            _ => read(),
        };
        self.world.linger(slowness).await;
        found
    }

    /// What a write is answered by. It goes on when nobody waits for it any more.
    async fn write<T: Send + 'static>(
        &self,
        verb: &'static str,
        path: &Path,
        apply: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        let fate = Fate::of_write(&self.world);
        self.bucket.asked();
        self.note(verb, path, fate);
        if fate == Fate::DeathBefore {
            return self.die().await;
        }
        let (answer, answered) = oneshot::channel();
        let (store, path) = (self.clone(), path.clone());
        let work = async move {
            let applied = store.carry(fate, verb, &path, &apply, answer).await;
            store.note(verb, &path, applied);
        };
        tokio::spawn(work);
        let Ok(result) = answered.await else {
            return self.die().await;
        };
        self.world.linger(self.world.profile.store.slowness).await;
        result
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what is asked for, what becomes of it, and who waits"
    )]
    async fn carry<T>(
        &self,
        fate: Fate,
        verb: &'static str,
        path: &Path,
        apply: &(impl Fn() -> Result<T> + Sync),
        answer: oneshot::Sender<Result<T>>,
    ) -> &'static str {
        let world = &self.world;
        let told = |applied: &Result<T>| if applied.is_ok() { "done" } else { "not done" };
        world.linger(world.profile.store.slowness).await;
        let failure = Err(fate::failure(world));
        match fate {
            Fate::Refused => return sent(answer.send(failure), "refused"),
            Fate::Never => {
                tokio::time::sleep(Duration::from_secs(10)).await;
                return sent(answer.send(failure), "never done");
            }
            Fate::Late => {
                world.linger(10_000).await;
                let text = sent(answer.send(failure), "late");
                self.note(verb, path, text);
                let most = world.draw(|random| random.magnitude(10, 120_000));
                world.linger(most).await;
                return told(&apply());
            }
            _ => {}
        }
        let applied = apply();
        let text = told(&applied);
        match fate {
            Fate::DeathAfter => drop(answer),
            Fate::Forgotten => return sent(answer.send(failure), text),
            Fate::Again => return sent(answer.send(apply()), text),
            _ => return sent(answer.send(applied), text),
        }
        text
    }
}

/// What to say of an answer that was sent; that nobody waits for it is no news.
fn sent<T>(_sent: std::result::Result<(), T>, text: &'static str) -> &'static str {
    text
}

impl fmt::Debug for Store {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the store of {}", self.owner)
    }
}

impl fmt::Display for Store {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the store of {}", self.owner)
    }
}

fn unsupported(what: &str) -> Error {
    Error::NotSupported {
        source: format!("{what} is not simulated").into(),
    }
}

/// An object, or a part of it, as an answer.
fn answer(location: &Path, bucket: &Bucket, options: &GetOptions) -> Result<GetResult> {
    let object = bucket.get(location).ok_or_else(|| Error::NotFound {
        path: location.to_string(),
        source: "404 Not Found".into(),
    })?;
    let meta = object.meta(location);
    options.check_preconditions(&meta)?;
    let range = match &options.range {
        None => 0..meta.size,
        Some(range) => range.as_range(meta.size).map_err(|error| Error::Generic {
            store: "S3",
            source: Box::new(error),
        })?,
    };
    let part = part(&object.bytes, &range);
    let payload = GetResultPayload::Stream(stream::once(async move { Ok(part) }).boxed());
    Ok(GetResult {
        payload,
        meta,
        range,
        attributes: object_store::Attributes::new(),
    })
}

fn part(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |place: u64| {
        usize::try_from(place)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    bytes.slice(at(range.start)..at(range.end))
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let verb = match &options.mode {
            PutMode::Create => "creates",
            PutMode::Overwrite => "puts",
            PutMode::Update(_) => "updates",
        };
        let (bucket, world) = (Arc::clone(&self.bucket), Arc::clone(&self.world));
        let (path, bytes) = (location.clone(), Bytes::from(payload));
        let put = move || bucket.put(&path, bytes.clone(), &options.mode, world.clocks(0).wall);
        self.write(verb, location, put).await
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unsupported("an upload in parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let read = || answer(location, &self.bucket, &options);
        self.read("gets", location, read).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                let (bucket, path) = (Arc::clone(&store.bucket), location.clone());
                let apply = move || {
                    bucket.delete(&path);
                    Ok(())
                };
                store.write("deletes", &location, apply).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, folder) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move {
            let list = || Ok(store.bucket.list(&folder));
            match store.read("lists", &folder, list).await {
                Ok(found) => found.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        };
        stream::once(listed).flat_map(stream::iter).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = prefix.cloned().unwrap_or_default();
        let all = self
            .read("lists", &folder, || Ok(self.bucket.list(&folder)))
            .await?;
        let mut found = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
        };
        for meta in all {
            let below: Vec<_> = meta
                .location
                .prefix_match(&folder)
                .into_iter()
                .flatten()
                .collect();
            match below.as_slice() {
                [_] => found.objects.push(meta),
                [first, ..] => {
                    let common = folder.clone().join(first.as_ref());
                    if found.common_prefixes.last() != Some(&common) {
                        found.common_prefixes.push(common);
                    }
                }
                [] => {}
            }
        }
        Ok(found)
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(unsupported("a copy"))
    }
}
