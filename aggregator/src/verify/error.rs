//! Why tables could not be judged.

use object_store::path::Path;

/// See the module. None of these says anything about the tables' content.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The address means nothing.
    #[error("{url} is no address of a store")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        #[source]
        source: object_store::Error,
    },
    /// A table's log.
    #[error("reading the log of {table}")]
    Log {
        /// Which table.
        table: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store does not give what the log names. A vacuum takes files that an old snapshot has.
    #[error("reading {path}; if a vacuum has taken it meanwhile, verify anew")]
    Store {
        /// Which file.
        path: Path,
        /// Why it failed.
        #[source]
        source: object_store::Error,
    },
    /// No Parquet file, or a damaged one.
    #[error("decoding {path}")]
    Parquet {
        /// Which file.
        path: Path,
        /// Why it failed.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A file that no version of this program wrote.
    #[error("column {column} of {path} {problem}")]
    Column {
        /// Which file.
        path: Path,
        /// Which column.
        column: String,
        /// What is wrong.
        problem: &'static str,
    },
}
