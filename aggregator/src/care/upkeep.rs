//! Logs that stay short, and watermarks that nobody names.

use object_store::ObjectMeta;

use super::{Care, kept::Kept};
use crate::lake::{LakeError, watermark};

impl Care {
    /// A checkpoint if there are many entries since the last, and then what it stands for can go.
    pub(super) async fn keep_short(&self, kept: &Kept) -> Result<(), LakeError> {
        let Some(snapshot) = kept.read().await? else {
            return Ok(());
        };
        let last = kept.log.hint().await?;
        let entries = match last {
            Some(last) => snapshot.version.saturating_sub(last),
            None => snapshot.version.saturating_add(1),
        };
        if entries < self.settings.entries {
            return Ok(());
        }
        let oldest = self.before(self.settings.readers.max(self.settings.history));
        kept.log.put_checkpoint(&snapshot, oldest).await?;
        kept.forget_removed(oldest).await;
        self.tally.checkpoints.add(1);
        let cleaned = kept.log.clean(self.before(self.settings.history)).await?;
        let marks = self.clean_watermarks(kept, snapshot.watermark).await?;
        self.tally.cleaned.add(cleaned.saturating_add(marks) as u64);
        Ok(())
    }

    /// Those below the one that the log names. One above it may be named at any time.
    async fn clean_watermarks(&self, kept: &Kept, named: u64) -> Result<usize, LakeError> {
        let oldest = self.before(self.settings.watermarks);
        let is_old = |object: &ObjectMeta| object.last_modified.timestamp_micros() < oldest.unix_us;
        let folder = watermark::folder(&kept.path);
        let gone = self.store.list(&folder, None).await?.into_iter();
        let gone = gone.filter(is_old).map(|object| object.location);
        let is_below = |path: &object_store::path::Path| {
            let number = path.filename().and_then(|name| name.parse::<u64>().ok());
            number.is_some_and(|number| number < named)
        };
        self.store.delete(gone.filter(is_below).collect()).await
    }
}
