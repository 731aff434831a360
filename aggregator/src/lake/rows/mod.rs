//! From checked batches to the bytes of files: decoded, put into order, and encoded column by
//! column, so that what is absent costs nothing and a commit stays small in memory.

mod array;
mod column;
mod complete;
mod dictionary;
mod file;
mod header;
mod input;
mod known;
mod merge;
mod order;
mod precision;
mod ranks;
mod stats;
mod stored;
#[cfg(test)]
mod tests;
mod texts;
mod time;
mod write;

use std::sync::Arc;

use parquet::errors::ParquetError;
use protocol::{Invalid, Limits, Table};

use super::{
    encode::{Encode, EncodeError, Made, Wanted},
    schema,
};

pub use input::{Input, Inputs, Rows};
pub use known::{Facts, Known, ListId, Nothing, Place, PodFacts, PodId, Storage, TextId};
pub use merge::{MergeFiles, Scan};
pub use time::{date, millis};
pub use write::{build, sort, write_files};

/// What bounds one file, and what its rows are completed with.
#[derive(Clone, Debug)]
pub struct WriteSettings {
    /// Of the batches, as when they came in.
    pub limits: Limits,
    /// Rows of a file, which is one row group, beside those of one more batch. It bounds the memory
    /// that a commit takes: of each table, the rows of one file are gathered at a time.
    pub file_rows: u64,
    /// What is known of the pods that rows are of.
    pub known: Arc<dyn Known>,
}

impl Default for WriteSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            file_rows: 65_536,
            known: Arc::new(Nothing),
        }
    }
}

impl Encode for WriteSettings {
    fn schema(&self, table: Table) -> String {
        schema::delta(table.columns())
    }

    fn files(&self, wanted: &[Wanted]) -> Result<Made, EncodeError> {
        Ok(write_files(wanted, self)?)
    }
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A batch that was checked can't be read now.
    #[error("reading batch {seq} of {node} again, which was checked when it came in")]
    Batch {
        /// Whose.
        node: String,
        /// Its number.
        seq: u64,
        /// Why.
        #[source]
        source: Invalid,
    },
    /// It has not the rows that were counted when it came in.
    #[error("batch {seq} of {node} has other rows for {table} than when it came in")]
    Rows {
        /// Whose.
        node: String,
        /// Its number.
        seq: u64,
        /// Of which table.
        table: &'static str,
    },
    /// A column that the batch as a whole should tell, and does not.
    #[error("column {column} is of the header or of the ledger, and nothing tells its value")]
    Untold {
        /// Which.
        column: &'static str,
    },
    /// A value that every row must have is not there, though the batches were checked.
    #[error("a row for {table} has no {column}")]
    Lacks {
        /// Of which table.
        table: &'static str,
        /// Which.
        column: &'static str,
    },
    /// The encoder.
    #[error("encoding a file of {table}")]
    Parquet {
        /// Of which table.
        table: &'static str,
        /// Why.
        #[source]
        source: ParquetError,
    },
}
