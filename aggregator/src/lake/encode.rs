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

/// A batch, and the tables that its rows are wanted for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which.
    pub batch: Held,
    /// By table. Each of them has rows of it; of a gap only `reconcile` has one.
    pub tables: [bool; Table::ALL.len()],
}

impl Wanted {
    /// Those of its rows that belong into this table are wanted.
    pub fn is_for(&self, table: Table) -> bool {
        self.tables[table as usize]
    }
}

/// Files by table.
pub type Made = [Vec<NewFile>; Table::ALL.len()];

/// Why batches could not be made into files.
pub type EncodeError = Box<dyn std::error::Error + Send + Sync>;

/// Makes files of batches that were checked when they came in.
pub trait Encode: Send + Sync {
    /// Schema of a table as Delta's `schemaString`.
    fn schema(&self, table: Table) -> String;

    /// The rows of these batches for the tables that want them, every one of them; several files of a
    /// table if they are of several partitions. All tables at once, because to read a batch takes as long as
    /// to write some of its tables.
    fn files(&self, wanted: &[Wanted]) -> Result<Made, EncodeError>;
}
