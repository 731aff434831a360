//! A Delta log, as far as this ledger needs it: entries and checkpoints are read, and an entry is put
//! at exactly one version or not at all.
//!
//! Written here, because the commit stands or falls with that put: no library may rebase it onto
//! another version, or try it again with another content.

pub mod action;
mod checkpoint;
mod listing;
pub mod name;
mod read;
mod snapshot;
#[cfg(test)]
pub(super) mod tests;
mod upkeep;
mod usable;

use bytes::Bytes;
use object_store::path::Path;
use protocol::Table;

use super::{
    LakeError,
    store::{Created, Store},
};
use action::{Line, Metadata, Requirements};

pub use read::Adds;
pub use snapshot::{Detail, FENCE, File, KEPT_FROM, Snapshot, WATERMARK};

/// Columns that files are put into folders by.
pub const PARTITION_COLUMNS: [&str; 2] = ["cluster", "date"];

/// See the module.
#[derive(Clone)]
pub struct Log {
    store: Store,
    folder: Path,
    detail: Detail,
}

/// How the put of an entry ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there, and it is ours.
    Surely,
    /// There is one of that version: perhaps our own, from a put whose answer was lost.
    Taken,
    /// It is there, but the log may have gone on and been cleaned before: what is known of it is too old.
    Overtaken,
}

/// The path of a table.
pub fn table_path(prefix: &Path, table: Table) -> Path {
    prefix.clone().join(table.name())
}

impl Log {
    /// Of the table in this folder.
    pub fn new(store: Store, table: &Path, detail: Detail) -> Self {
        Self {
            store,
            folder: table.clone().join("_delta_log"),
            detail,
        }
    }

    /// Puts the entry of exactly this version.
    pub async fn put(&self, version: u64, lines: &[Line]) -> Result<Created, LakeError> {
        let name = name::entry(version);
        let entry = action::entry(lines).map_err(|error| self.bad(&name, error))?;
        let path = self.folder.clone().join(name);
        self.store.create(&path, &Bytes::from(entry)).await
    }

    /// Puts the entry that follows the version that it was made from.
    pub async fn put_next(&self, base: u64, lines: &[Line]) -> Result<Put, LakeError> {
        let version = base.saturating_add(1);
        if self.put(version, lines).await? == Created::Taken {
            return Ok(Put::Taken);
        }
        match self.last_checkpoint().await {
            Ok(at) if at <= Some(version) => Ok(Put::Surely),
            _ => Ok(Put::Overtaken),
        }
    }

    /// Puts version 0 of a table. Another process may have been faster: read what is there.
    pub async fn create(&self, id: String, schema: String, ms: i64) -> Result<(), LakeError> {
        let requirements = Requirements {
            min_reader_version: 1,
            min_writer_version: 2,
            ..Requirements::default()
        };
        let metadata = Metadata {
            id,
            schema_string: schema,
            partition_columns: PARTITION_COLUMNS.map(str::to_owned).to_vec(),
            created_time: Some(ms),
            ..Metadata::default()
        };
        let lines = [
            Line {
                protocol: Some(requirements),
                ..Line::default()
            },
            Line {
                meta_data: Some(metadata),
                ..Line::default()
            },
        ];
        self.put(0, &lines).await.map(drop)
    }

    fn bad(&self, what: &str, problem: impl std::fmt::Display) -> LakeError {
        LakeError::BadLog {
            table: self.folder.to_string(),
            what: what.to_owned(),
            problem: problem.to_string(),
        }
    }
}
