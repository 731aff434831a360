//! What keeps a log short: checkpoints, and the removal of entries that one of them stands for.

use bytes::Bytes;
use object_store::ObjectMeta;
use protocol::Timestamp;

use super::{Log, Snapshot, checkpoint, listing::Listing, name::Name, read::HINT};
use crate::lake::LakeError;

/// The hint at the last checkpoint, as readers take it.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Hint {
    version: u64,
    size: usize,
    size_in_bytes: usize,
    num_of_add_files: usize,
}

impl Log {
    /// Puts a checkpoint of this state, and the hint at it. Files that were removed before `oldest` are left
    /// out. Another process may have put the same: it is as good.
    pub async fn put_checkpoint(
        &self,
        snapshot: &Snapshot,
        oldest: Timestamp,
    ) -> Result<(), LakeError> {
        let version = snapshot.version;
        let name = checkpoint::name(version, 1, 1);
        let written = checkpoint::write(snapshot, oldest.unix_us / 1_000);
        let (bytes, size) = written.map_err(|error| self.bad(&name, error))?;
        let hint = Hint {
            version,
            size,
            size_in_bytes: bytes.len(),
            num_of_add_files: snapshot.files.iter().flatten().count(),
        };
        let hint = serde_json::to_vec(&hint).map_err(|error| self.bad(HINT, error))?;
        // The same version has the same content, whoever made it.
        self.store
            .create(&self.folder.clone().join(name), &bytes)
            .await?;
        self.raise_hint(version, hint.into()).await
    }

    /// A hint that goes back would let a writer that was away for long believe that its version is new.
    async fn raise_hint(&self, version: u64, hint: Bytes) -> Result<(), LakeError> {
        if self.hint().await? >= Some(version) {
            return Ok(());
        }
        let path = self.folder.clone().join(HINT);
        self.store.put(&path, &hint).await
    }

    /// Deletes entries and checkpoints that only serve readers of versions that were replaced before `oldest`.
    /// How many.
    pub async fn clean(&self, oldest: Timestamp) -> Result<usize, LakeError> {
        let hint = self.hint().await?;
        let objects = self.store.list(&self.folder, None).await?;
        let is_old =
            |object: &&ObjectMeta| object.last_modified.timestamp_micros() < oldest.unix_us;
        let old = objects.iter().filter(is_old);
        let old =
            old.filter_map(|object| Some((object, Name::parse(object.location.filename()?)?)));
        let old: Vec<(&ObjectMeta, Name)> = old.collect();
        let last = old.iter().map(|(_, name)| name.version()).max();
        // Whoever reads a version that is not old yet begins with this one.
        let checkpoints = Listing::of(&objects).checkpoints;
        let base = checkpoints.range(..=last.unwrap_or(0)).next_back();
        let base = base
            .map(|(version, _)| *version)
            .filter(|base| Some(*base) <= hint);
        let Some(base) = base else {
            return Ok(0);
        };
        let mut gone: Vec<(u64, &ObjectMeta)> = old
            .iter()
            .map(|(object, name)| (name.version(), *object))
            .filter(|(version, _)| *version < base)
            .collect();
        // The oldest first: what is left is without a hole at any time.
        gone.sort_unstable_by(|left, right| {
            (left.0, &left.1.location).cmp(&(right.0, &right.1.location))
        });
        let paths = gone.into_iter().map(|(_, object)| object.location.clone());
        self.store.delete(paths.collect()).await
    }
}
