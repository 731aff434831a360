//! The objects themselves: what S3 promises, strongly consistent, with conditional puts.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use object_store::{Error, ObjectMeta, PutMode, PutResult, path::Path};

use crate::chaos::world::lock;

/// One object.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it holds.
    pub bytes: Bytes,
    /// Changes with every write.
    pub tag: u64,
    /// When it was written, since 1970.
    pub written: Duration,
}

impl Object {
    /// As a store tells it.
    pub fn meta(&self, location: &Path) -> ObjectMeta {
        ObjectMeta {
            location: location.clone(),
            last_modified: (SystemTime::UNIX_EPOCH + self.written).into(),
            size: self.bytes.len() as u64,
            e_tag: Some(self.tag.to_string()),
            version: None,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Bucket {
    state: Mutex<State>,
    requests: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<Path, Object>,
    tags: u64,
}

impl Bucket {
    /// Somebody asks, whatever becomes of it.
    pub fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How often somebody asked.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Writes an object, if `mode` allows.
    pub fn put(
        &self,
        location: &Path,
        bytes: Bytes,
        mode: &PutMode,
        written: Duration,
    ) -> Result<PutResult, Error> {
        let mut state = lock(&self.state);
        let here = state.objects.get(location);
        match mode {
            PutMode::Overwrite => {}
            PutMode::Create if here.is_some() => return Err(exists(location)),
            PutMode::Create => {}
            PutMode::Update(version) => {
                let tag = here.map(|object| object.tag.to_string());
                if tag.is_none() || tag != version.e_tag {
                    return Err(changed(location));
                }
            }
        }
        state.tags += 1;
        let tag = state.tags;
        let object = Object {
            bytes,
            tag,
            written,
        };
        state.objects.insert(location.clone(), object);
        Ok(PutResult {
            e_tag: Some(tag.to_string()),
            version: None,
        })
    }

    /// Reads one.
    pub fn get(&self, location: &Path) -> Option<Object> {
        lock(&self.state).objects.get(location).cloned()
    }

    /// Removes one; one that is not there is no error.
    pub fn delete(&self, location: &Path) {
        lock(&self.state).objects.remove(location);
    }

    /// All objects below a folder, in the order of their names.
    pub fn list(&self, folder: &Path) -> Vec<ObjectMeta> {
        let state = lock(&self.state);
        let from = state.objects.range(folder.clone()..);
        from.take_while(|(path, _)| path.as_ref().starts_with(folder.as_ref()))
            .filter(|(path, _)| {
                let mut parts = path.prefix_match(folder).into_iter().flatten();
                parts.next().is_some()
            })
            .map(|(path, object)| object.meta(path))
            .collect()
    }
}

/// 412 to a put that must not overwrite.
pub fn exists(location: &Path) -> Error {
    Error::AlreadyExists {
        path: location.to_string(),
        source: "412 Precondition Failed".into(),
    }
}

fn changed(location: &Path) -> Error {
    Error::Precondition {
        path: location.to_string(),
        source: "412 Precondition Failed".into(),
    }
}
