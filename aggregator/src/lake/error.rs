//! Why the tables can't be read or written.

use super::encode::EncodeError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The store does not answer, or not so.
    #[error("{doing} {path}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: String,
        /// Why it failed.
        #[source]
        source: object_store::Error,
    },
    /// The store overwrites what it was told not to overwrite.
    #[error(
        "the store took a second put-if-absent of {path}: two aggregators would overwrite each other; \
         use a store that honours `If-None-Match: *`, as Amazon S3 does"
    )]
    NoConditionalPut {
        /// Which object was put twice.
        path: String,
    },
    /// A log that can't be understood.
    #[error("the log of {table}, {what}: {problem}")]
    BadLog {
        /// Which table.
        table: String,
        /// Which part of it.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A table that must not be written by this build.
    #[error("table {table} can't be used: {reason}")]
    Unusable {
        /// Which.
        table: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A log names a watermark that is not there.
    #[error(
        "{path}, which the log of its table names, is not there, and can't be rebuilt from the table's rows: \
         what is committed is not known, so that nothing is taken in; restore that object from a backup"
    )]
    WatermarkLost {
        /// Which.
        path: String,
        /// Why it can't be rebuilt.
        #[source]
        source: Box<LakeError>,
    },
    /// A watermark that can't be read.
    #[error("{path} is no watermark: {problem}; restore that object from a backup")]
    BadWatermark {
        /// Which.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of a table that is no Parquet file, or a damaged one.
    #[error("decoding {path}")]
    BadFile {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// Rows that can't be written.
    #[error("writing rows of {table}")]
    Encode {
        /// Of which table.
        table: &'static str,
        /// Why.
        #[source]
        source: EncodeError,
    },
}

impl LakeError {
    /// Waiting may help: nothing is known to be broken.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Store { .. })
    }
}
