//! From checked batches to the bytes of files: decoded, put into order, and encoded column by
//! column, so that what is absent costs nothing and a commit stays small in memory.

mod array;
mod column;
mod dictionary;
mod file;
mod header;
mod input;
mod order;
mod ranks;
mod texts;
mod time;

use bytes::Bytes;
use parquet::errors::ParquetError;
use protocol::{Column, Invalid, Limits, Table};

use crate::held::Held;

pub use input::{Input, Inputs, Rows};

/// What bounds one file.
#[derive(Clone, Copy, Debug)]
pub struct WriteSettings {
    /// Of the batches.
    pub limits: Limits,
    /// Rows of a file, which is one row group; one batch more than this is never in it.
    pub file_rows: usize,
}

impl Default for WriteSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            file_rows: 131_072,
        }
    }
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A batch that was checked can't be read now.
    #[error("reading batch {seq} of {node} again")]
    Batch {
        /// Whose.
        node: String,
        /// Its number.
        seq: u64,
        /// Why.
        #[source]
        source: Invalid,
    },
    /// A column that headers should tell, but none does.
    #[error("column {column} is of the header, and nothing tells its value")]
    Header {
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

pub fn build(table: Table, columns: &[Column], mut inputs: Inputs) -> Result<Bytes, WriteError> {
    Ok(file::write(table, columns, &mut inputs)?.0)
}
