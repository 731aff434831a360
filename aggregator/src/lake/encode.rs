//! Files of batches: what a commit needs of the code that makes Parquet.

use bytes::Bytes;
use protocol::Table;

use crate::held::Held;

/// One file to be added to a table.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Cluster and date: the values of the partition columns.
    pub partition: (String, String),
    /// Its content.
    pub bytes: Bytes,
    /// Rows in it.
    pub rows: u64,
    /// Statistics as the log holds them: JSON.
    pub stats: String,
}

/// Why batches could not be made into files.
pub type EncodeError = Box<dyn std::error::Error + Send + Sync>;

/// Makes files of batches that were checked when they came in.
pub trait Encode: Send + Sync {
    /// Schema of a table as Delta's `schemaString`.
    fn schema(&self, table: Table) -> String;

    /// The rows of these batches for one table, every one of them; several files if they are of several
    /// partitions. Of a gap only `reconcile` has a row.
    fn files(&self, table: Table, batches: &[Held]) -> Result<Vec<NewFile>, EncodeError>;
}
