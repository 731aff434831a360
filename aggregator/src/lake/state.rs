//! What is known of one table, and how it is brought up to date.

use std::sync::Arc;

use object_store::path::Path;
use protocol::Table;
use tokio::sync::Mutex;

use super::{
    LakeError,
    counters::Counters,
    log::{Detail, Log, Snapshot, table_path},
    rebuild::rebuild,
    settings::{Clock, Settings},
    store::Store,
    watermark,
};
use crate::intake::Watermark;

/// The version that a commit stands on.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// Of the log.
    pub version: u64,
    /// Number of its watermark.
    pub number: u64,
    /// Its last fence.
    pub fence: u64,
    /// The watermark.
    pub marks: Arc<Watermark>,
}

#[derive(Clone)]
struct Known {
    snapshot: Snapshot,
    /// The watermark of `snapshot.watermark`.
    marks: Arc<Watermark>,
}

impl Known {
    fn base(&self) -> Base {
        Base {
            version: self.snapshot.version,
            number: self.snapshot.watermark,
            fence: self.snapshot.fence,
            marks: self.marks.clone(),
        }
    }
}

/// See the module.
pub(super) struct TableState {
    pub log: Log,
    pub path: Path,
    store: Store,
    schema: String,
    id: String,
    clock: Clock,
    counters: Arc<Counters>,
    known: Mutex<Option<Known>>,
}

impl TableState {
    /// Fails if there is a table that this build must not write.
    pub async fn check(
        store: &Store,
        prefix: &Path,
        table: Table,
        settings: &Settings,
    ) -> Result<(), LakeError> {
        let path = table_path(prefix, table);
        let log = Log::new(store.clone(), &path, Detail::Heads);
        let found = log.read(None).await?;
        let reason = found.and_then(|found| found.unusable(&settings.encode.schema(table)));
        reason.map_or(Ok(()), |reason| {
            Err(LakeError::Unusable {
                table: path.to_string(),
                reason,
            })
        })
    }

    /// Reads a table, or makes it.
    pub async fn open(
        store: &Store,
        prefix: &Path,
        table: Table,
        settings: &Settings,
        counters: &Arc<Counters>,
    ) -> Result<Self, LakeError> {
        let path = table_path(prefix, table);
        let log = Log::new(store.clone(), &path, Detail::Heads);
        let schema = settings.encode.schema(table);
        let snapshot = loop {
            if let Some(snapshot) = log.read(None).await? {
                break snapshot;
            }
            // Whoever wins this put, the next reading finds one table.
            let ms = (settings.clock)().unix_us / 1_000;
            log.create(settings.random.guid(), schema.clone(), ms)
                .await?;
        };
        let state = Self {
            log,
            path,
            store: store.clone(),
            schema,
            id: snapshot.metadata.id.clone(),
            clock: settings.clock.clone(),
            counters: counters.clone(),
            known: Mutex::new(None),
        };
        state.read().await?;
        Ok(state)
    }

    /// The table's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The newest state. One reading at a time; what is given up half-way leaves the older state.
    pub async fn read(&self) -> Result<Base, LakeError> {
        let mut known = self.known.lock().await;
        let mut lost = None;
        loop {
            let snapshot = self.snapshot(known.as_ref()).await?;
            let number = snapshot.watermark;
            let marks = match known.as_ref() {
                _ if number == 0 => Some(Arc::default()),
                Some(known) if known.snapshot.watermark == number => Some(known.marks.clone()),
                _ => {
                    let marks = watermark::load(&self.store, &self.path, number).await?;
                    marks.map(Arc::new)
                }
            };
            if let Some(marks) = marks {
                return Ok(known.insert(Known { snapshot, marks }).base());
            }
            *known = None;
            // An older one may be deleted as soon as a newer one is named: the log must be read again.
            if lost.replace(number) == Some(number)
                && let Some(rebuilt) = self.rebuild(number).await?
            {
                return Ok(known.insert(rebuilt).base());
            }
        }
    }

    /// As it was last read, if that is at hand: it may have gone on since.
    pub fn known(&self) -> Option<Base> {
        let known = self.known.try_lock().ok()?;
        let known = known.as_ref()?;
        Some(known.base())
    }

    /// Our entry is surely there: no need to read it.
    pub async fn advance(&self, base: &Base, number: u64, marks: &Arc<Watermark>) {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_mut()
            && known.snapshot.version == base.version
        {
            known.snapshot.version = base.version.saturating_add(1);
            known.snapshot.watermark = number;
            known.marks = marks.clone();
        }
    }

    /// What is known may have been cleaned away: everything is read from the checkpoint.
    pub async fn forget(&self) {
        *self.known.lock().await = None;
    }

    /// The watermark of that number is not there: what it said is told by the rows themselves. None if a
    /// newer one is named meanwhile.
    async fn rebuild(&self, number: u64) -> Result<Option<Known>, LakeError> {
        let path = watermark::path(&self.path, number).to_string();
        log::error!("{path} is not there; reading all rows of its table to know what it said");
        let rebuilt = rebuild(&self.store, &self.path, (self.clock)()).await;
        let (snapshot, marks) = rebuilt.map_err(|source| LakeError::WatermarkLost {
            path: path.clone(),
            source: Box::new(source),
        })?;
        if snapshot.watermark != number {
            return Ok(None);
        }
        log::warn!("{path} is known again: {} agents' epochs", marks.len());
        self.counters.rebuilt.add(1);
        Ok(Some(Known {
            snapshot,
            marks: Arc::new(marks),
        }))
    }

    async fn snapshot(&self, known: Option<&Known>) -> Result<Snapshot, LakeError> {
        let unusable = |reason: String| LakeError::Unusable {
            table: self.path.to_string(),
            reason,
        };
        let snapshot = self.log.read(known.map(|known| &known.snapshot)).await?;
        let snapshot = snapshot.ok_or_else(|| unusable("it is gone; restore it".to_owned()))?;
        if snapshot.metadata.id != self.id {
            let reason = "it is not the table that was there at the start; start again";
            return Err(unusable(reason.to_owned()));
        }
        let is_as_before = known.is_some_and(|known| {
            let before = &known.snapshot;
            before.metadata == snapshot.metadata && before.requirements == snapshot.requirements
        });
        if is_as_before {
            return Ok(snapshot);
        }
        match snapshot.unusable(&self.schema) {
            Some(reason) => Err(unusable(reason)),
            None => Ok(snapshot),
        }
    }
}
