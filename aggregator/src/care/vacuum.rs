//! Vacuum: files that no table names any more are deleted, behind a fence.
//!
//! Age alone is not enough: a writer that stood still for longer than any age may commit a file that is
//! deleted by then. So a fence is put into the log before anything is deleted; every writer that finds
//! another fence than when it began to upload uploads again.

use std::{collections::BTreeSet, time::Duration};

use object_store::{ObjectMeta, path::Path};
use protocol::Timestamp;

use super::{
    Care,
    compact::in_store,
    kept::{Kept, info},
};
use crate::lake::{
    LakeError,
    log::{
        FENCE, Snapshot,
        action::{Line, Transaction},
    },
};

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Files that were deleted, or would be.
    pub files: u64,
    /// Bytes of those.
    pub bytes: u64,
}

impl Vacuumed {
    /// This too.
    pub fn add(&mut self, more: &Self) {
        self.files = self.files.saturating_add(more.files);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// Files that a table needs: those in it, and those that readers of older versions may still read.
struct Needed(BTreeSet<Path>);

impl Needed {
    fn new(kept: &Kept, snapshot: &Snapshot, oldest: Timestamp) -> Result<Self, LakeError> {
        let oldest_ms = oldest.unix_us / 1_000;
        let live = snapshot.files.iter().flat_map(|files| files.keys());
        let removed = snapshot.removed.iter();
        let young = removed.filter(|(_, when)| **when >= oldest_ms);
        let paths = live.chain(young.map(|(path, _)| path));
        let paths: Result<_, _> = paths.map(|path| in_store(kept, path)).collect();
        Ok(Self(paths?))
    }
}

impl Care {
    pub(super) async fn vacuum_table(
        &self,
        kept: &Kept,
        is_dry: bool,
    ) -> Result<Vacuumed, LakeError> {
        let oldest = self.before(self.settings.readers);
        // Listed before the table is read: the fence after that reading is after the listing, too.
        let listed = self.store.list(&kept.path, None).await?;
        let Some(snapshot) = kept.read().await? else {
            return Ok(Vacuumed::default());
        };
        let needed = Needed::new(kept, &snapshot, oldest)?;
        let is_old = |object: &ObjectMeta| object.last_modified.timestamp_micros() < oldest.unix_us;
        let mut gone: Vec<ObjectMeta> = listed
            .into_iter()
            .filter(|object| is_data(kept, &object.location) && is_old(object))
            .filter(|object| !needed.0.contains(&object.location))
            .collect();
        if !is_dry && !gone.is_empty() {
            let Some(fenced) = self.fence(kept, &snapshot).await? else {
                return Ok(Vacuumed::default());
            };
            let needed = Needed::new(kept, &fenced, oldest)?;
            gone.retain(|object| !needed.0.contains(&object.location));
            let files = gone.len();
            self.tell(
                kept,
                &format!("deleting {files} files that it does not name"),
            );
            let paths = gone.iter().map(|object| object.location.clone());
            self.store.delete(paths.collect()).await?;
            self.tally.vacuumed_files.add(files as u64);
        }
        Ok(Vacuumed {
            files: gone.len() as u64,
            bytes: gone.iter().map(|object| object.size).sum(),
        })
    }

    /// Puts a fence until one is surely there; the table as it is then, if it still is.
    async fn fence(&self, kept: &Kept, begun: &Snapshot) -> Result<Option<Snapshot>, LakeError> {
        let mut snapshot = begun.clone();
        loop {
            let number = i64::try_from(snapshot.fence.saturating_add(1)).unwrap_or(i64::MAX);
            let txn = Transaction {
                app_id: FENCE.to_owned(),
                version: number,
                last_updated: None,
            };
            let txn = Line {
                txn: Some(txn),
                ..Line::default()
            };
            let info = info("VACUUM START", self.now().unix_us / 1_000);
            match kept.put(&snapshot, &[info, txn]).await {
                Err(error) if !error.may_pass() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            let Some(newer) = kept.read().await? else {
                return Ok(None);
            };
            // Anybody's fence does that came after the listing.
            if newer.fence > begun.fence {
                return Ok(Some(newer));
            }
            snapshot = newer;
            let pause = Duration::from_millis(50);
            tokio::time::sleep(self.settings.random.jitter(pause)).await;
        }
    }
}

/// A file of rows: names that begin with an underscore are the log's and the watermarks'.
fn is_data(kept: &Kept, path: &Path) -> bool {
    let mut below = path.prefix_match(&kept.path).into_iter().flatten();
    let is_parquet = path.extension() == Some("parquet");
    is_parquet && !below.any(|part| part.as_ref().starts_with(['_', '.']))
}
