//! A table as its log tells it up to one version.

use std::collections::BTreeMap;

use super::action::{Add, Line, Metadata, Requirements, Transaction};

/// Our transaction that names the table's watermark object.
pub const WATERMARK: &str = "podledger/wm";
/// Our transaction that vacuum raises: files uploaded before it must not be committed after it.
pub const FENCE: &str = "podledger/fence";

/// Our transaction that says from which day on the table has all rows, in days since 1970.
pub const KEPT_FROM: &str = "podledger/kept-from";

/// What is kept of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What a writer needs; its size does not grow with the table.
    Heads,
    /// The live files as well, and those that were removed.
    Files,
}

/// A live file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Column to value.
    pub partition: BTreeMap<String, Option<String>>,
    /// In bytes.
    pub size: u64,
    /// When it was written, in milliseconds.
    pub modified_ms: i64,
    /// As JSON, as they were written.
    pub stats: Option<Box<str>>,
    /// What else is to be known of it.
    pub tags: Option<BTreeMap<String, Option<String>>>,
}

impl File {
    /// Rows in it, if its statistics tell.
    pub fn rows(&self) -> Option<u64> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stats {
            num_records: u64,
        }
        let stats: Stats = serde_json::from_str(self.stats.as_deref()?).ok()?;
        Some(stats.num_records)
    }

    /// As it was added under this path, or would be again.
    pub fn add(&self, path: &str) -> Add {
        Add {
            path: path.to_owned(),
            partition_values: self.partition.clone(),
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            modification_time: self.modified_ms,
            data_change: false,
            stats: self.stats.as_deref().map(str::to_owned),
            tags: self.tags.clone(),
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry in it.
    pub version: u64,
    /// What readers and writers must be able to do.
    pub requirements: Requirements,
    /// Id, schema and configuration.
    pub metadata: Metadata,
    /// Number of the watermark object, 0 if there is none yet.
    pub watermark: u64,
    /// Number of the last fence, 0 if there was none.
    pub fence: u64,
    /// First day of which no rows were taken out for their age, in days since 1970.
    pub kept_from: u64,
    /// How far every application is, ours among them.
    pub transactions: BTreeMap<String, Transaction>,
    /// Live files by the path that the log names, which is percent-encoded. None if they are not kept.
    pub files: Option<BTreeMap<String, File>>,
    /// When the others were removed, in milliseconds, by path; for as long as the log tells. Empty if files
    /// are not kept.
    pub removed: BTreeMap<String, i64>,
}

impl Snapshot {
    /// Before the first entry.
    pub(super) fn empty(detail: Detail) -> Self {
        Self {
            files: (detail == Detail::Files).then(BTreeMap::new),
            ..Self::default()
        }
    }

    /// The state after one more line.
    pub(super) fn apply(&mut self, line: Line) -> Result<(), &'static str> {
        if let Some(requirements) = line.protocol {
            self.requirements = requirements;
        }
        if let Some(metadata) = line.meta_data {
            self.metadata = metadata;
        }
        if let Some(txn) = line.txn {
            let number = u64::try_from(txn.version).map_err(|_| "a negative txn version")?;
            match txn.app_id.as_str() {
                WATERMARK => self.watermark = number,
                FENCE => self.fence = number,
                KEPT_FROM => self.kept_from = number,
                _ => {}
            }
            self.transactions.insert(txn.app_id.clone(), txn);
        }
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        if let Some(remove) = line.remove {
            files.remove(&remove.path);
            let when = remove.deletion_timestamp.unwrap_or(0);
            self.removed.insert(remove.path, when);
        }
        if let Some(add) = line.add {
            let file = File {
                partition: add.partition_values,
                size: u64::try_from(add.size).map_err(|_| "a negative file size")?,
                modified_ms: add.modification_time,
                stats: add.stats.map(String::into_boxed_str),
                tags: add.tags,
            };
            self.removed.remove(&add.path);
            files.insert(add.path, file);
        }
        Ok(())
    }
}
