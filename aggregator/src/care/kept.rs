//! A table as those see it who take care of it: all of its files, and the one way to change it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};

use object_store::path::Path;
use protocol::{Table, Timestamp};
use tokio::{sync::Mutex, time::Instant};

use crate::lake::{
    LakeError,
    log::{
        Detail, Log, Put, Snapshot,
        action::{CommitInfo, Line},
    },
    store::Store,
};

/// See the module.
pub(super) struct Kept {
    /// None of one that no agent writes.
    pub table: Option<Table>,
    name: &'static str,
    pub path: Path,
    pub log: Log,
    schema: String,
    /// As it was last read.
    known: Mutex<Option<Snapshot>>,
    /// Files that could not be merged, and until when they are left out.
    left_out: std::sync::Mutex<BTreeMap<String, Instant>>,
}

impl Kept {
    pub fn new(store: &Store, prefix: &Path, table: Table, schema: String) -> Self {
        let kept = Self::named(store, prefix, table.name(), schema);
        Self {
            table: Some(table),
            ..kept
        }
    }

    /// One that no agent writes.
    pub fn named(store: &Store, prefix: &Path, name: &'static str, schema: String) -> Self {
        let path = prefix.clone().join(name);
        Self {
            table: None,
            name,
            log: Log::new(store.clone(), &path, Detail::Files),
            path,
            schema,
            known: Mutex::default(),
            left_out: std::sync::Mutex::default(),
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The newest state; none if there is no table yet.
    pub async fn read(&self) -> Result<Option<Snapshot>, LakeError> {
        let mut known = self.known.lock().await;
        let snapshot = self.log.read(known.take().as_ref()).await?;
        if let Some(reason) = snapshot
            .as_ref()
            .and_then(|table| table.unusable(&self.schema))
        {
            return Err(LakeError::Unusable {
                table: self.path.to_string(),
                reason,
            });
        }
        known.clone_from(&snapshot);
        Ok(snapshot)
    }

    /// Forgets files that were removed before `oldest`: nobody asks for them any more.
    pub async fn forget_removed(&self, oldest: Timestamp) {
        let oldest_ms = oldest.unix_us / 1_000;
        if let Some(known) = self.known.lock().await.as_mut() {
            known.removed.retain(|_, when| *when >= oldest_ms);
        }
    }

    /// These files are not merged for so long.
    pub fn leave_out(&self, paths: impl IntoIterator<Item = String>, span: Duration) {
        let until = Instant::now() + span;
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.extend(paths.into_iter().map(|path| (path, until)));
    }

    /// Files that are not merged at this time.
    pub fn left_out(&self) -> BTreeSet<String> {
        let now = Instant::now();
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.retain(|_, until| *until > now);
        left_out.keys().cloned().collect()
    }

    /// Puts the entry that follows a state. True only if it is surely there and surely ours; otherwise the
    /// table must be read again before anything more is said.
    pub async fn put(&self, base: &Snapshot, lines: &[Line]) -> Result<bool, LakeError> {
        let put = self.log.put_next(base.version, lines).await?;
        if put == Put::Overtaken {
            *self.known.lock().await = None;
        }
        Ok(put == Put::Surely)
    }
}

/// What stands first in an entry, for people.
pub(super) fn info(operation: &str, ms: i64) -> Line {
    let info = CommitInfo {
        timestamp: ms,
        operation: operation.to_owned(),
        engine_info: concat!("podledger/", env!("CARGO_PKG_VERSION")).to_owned(),
        token: String::new(),
    };
    Line {
        commit_info: Some(info),
        ..Line::default()
    }
}
