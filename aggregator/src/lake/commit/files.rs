//! The data files of one try, each under a random name of its own.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use protocol::{Epoch, Table};

use super::{
    super::{
        Lake, LakeError,
        encode::NewFile,
        log::{PARTITION_COLUMNS, action::Add, name},
        state::Base,
    },
    ahead::{Ahead, Batches, Lacking},
};

/// Files that are written at once.
const AT_ONCE: usize = 4;

/// See the module. Kept through everything that is tried again, so that a store that fails for long
/// is not filled with files that nothing names.
pub(super) struct Files {
    /// The batches whose rows they are: nothing else may be committed with them.
    batches: Batches,
    /// The fence before the first of them was written. After another one, vacuum may delete them.
    fence: u64,
    files: Vec<One>,
}

struct One {
    add: Add,
    path: Path,
    rows: u64,
    /// Until it is written.
    content: Option<Bytes>,
}

impl Files {
    /// As the log names them.
    pub fn adds(&self) -> impl Iterator<Item = &Add> {
        self.files.iter().map(|file| &file.add)
    }

    fn is_of(&self, lacking: &Lacking, base: &Base) -> bool {
        self.fence == base.fence && self.batches.are(&lacking.batches)
    }
}

impl Lake {
    /// Sees to it that the files of exactly these batches are in the store: those of the last try, if
    /// they still fit.
    pub(super) async fn upload(
        &self,
        lacking: &Lacking,
        base: &Base,
        ahead: &mut Ahead<'_>,
        files: &mut Option<Files>,
    ) -> Result<(), LakeError> {
        if !files
            .as_ref()
            .is_some_and(|files| files.is_of(lacking, base))
        {
            self.forget(files.take());
        }
        let files = match files {
            Some(files) => files,
            None => {
                let made = self.make(lacking, ahead).await?.into_iter();
                let named: Result<_, _> = made.map(|file| self.name(lacking.table, file)).collect();
                files.insert(Files {
                    batches: Batches::of(&lacking.batches),
                    fence: base.fence,
                    files: named?,
                })
            }
        };
        let writes: Vec<_> = files
            .files
            .iter_mut()
            .map(|file| self.write(file))
            .collect();
        stream::iter(writes).buffered(AT_ONCE).try_collect().await
    }

    /// These files will not be named any more.
    pub(super) fn forget(&self, files: Option<Files>) {
        let files = files.map_or(0, |files| files.files.len());
        self.counters
            .orphans
            .add(u64::try_from(files).unwrap_or(u64::MAX));
    }

    /// These files are committed.
    pub(super) fn count(&self, files: &Files) {
        self.counters.entries.add(1);
        for file in &files.files {
            self.counters.rows.add(file.rows);
            self.counters
                .bytes
                .add(u64::try_from(file.add.size).unwrap_or_default());
        }
    }

    async fn write(&self, file: &mut One) -> Result<(), LakeError> {
        if let Some(content) = &file.content {
            self.store.put(&file.path, content).await?;
            file.content = None;
        }
        Ok(())
    }

    fn name(&self, table: Table, file: NewFile) -> Result<One, LakeError> {
        let (cluster, date) = file.partition;
        let random: Epoch = self.settings.random.id();
        let name = name::data_file(&cluster, &date, &random.to_string());
        let folder = &self.state(table).path;
        let path = Path::parse(format!("{folder}/{name}")).map_err(|error| LakeError::Store {
            doing: "naming",
            path: name.clone(),
            source: error.into(),
        })?;
        let columns = PARTITION_COLUMNS.map(str::to_owned).into_iter();
        let add = Add {
            path: name::in_log(&name),
            partition_values: columns.zip([Some(cluster), Some(date)]).collect(),
            size: i64::try_from(file.bytes.len()).unwrap_or(i64::MAX),
            modification_time: (self.settings.clock)().unix_us / 1_000,
            data_change: true,
            stats: Some(file.stats),
            tags: None,
        };
        Ok(One {
            add,
            path,
            rows: file.rows,
            content: Some(file.bytes),
        })
    }
}
