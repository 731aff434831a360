//! Files of a table made anew as fewer and larger ones: what compaction needs of the code that reads and
//! writes them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use protocol::Table;

use super::{LakeError, store::Store};

/// A file to be merged with others.
#[derive(Clone, Debug)]
pub struct Input {
    /// In the store.
    pub path: Path,
    /// In bytes.
    pub size: u64,
}

/// A file that has the rows of others.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Its content, in pieces.
    pub pieces: Vec<Bytes>,
    /// Rows in it.
    pub rows: u64,
    /// Statistics as the log holds them: JSON.
    pub stats: String,
}

/// Merges files.
#[async_trait]
pub trait Merge: Send + Sync {
    /// Begins with these files of one table and partition.
    async fn begin(
        &self,
        store: &Store,
        table: Table,
        inputs: Vec<Input>,
    ) -> Result<Box<dyn Merging>, LakeError>;
}

/// Files that are being merged.
#[async_trait]
pub trait Merging: Send {
    /// The next file, until all rows are in one: each of them once, in the order of the table.
    async fn next(&mut self) -> Result<Option<Merged>, LakeError>;
}

/// Who merges.
pub type Merger = Arc<dyn Merge>;
