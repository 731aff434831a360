//! Why tables could not be judged.

use object_store::path::Path;

use crate::lake::LakeError;
use crate::store_url::StoreError;

/// See the module. None of these says anything about the tables' content.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no store at the address.
    #[error("opening the tables")]
    Open(#[from] StoreError),
    /// A table's log.
    #[error("reading the log of {table}")]
    Log {
        /// Which table.
        table: &'static str,
        /// Why it failed.
        #[source]
        source: Box<LakeError>,
    },
    /// There is nothing to judge.
    #[error("there is no table {table} below the prefix `{prefix}`")]
    NoTable {
        /// Which table.
        table: &'static str,
        /// Where it was looked for.
        prefix: Path,
    },
    /// Another program has changed the table in a way that changes what its files mean.
    #[error("{table} needs the feature {feature} of its readers, which this program does not have")]
    Feature {
        /// Which table.
        table: &'static str,
        /// Which feature.
        feature: String,
    },
    /// The log names a file in a way that means nothing.
    #[error("the log of {table} names a file `{path}`, which can't be one")]
    Name {
        /// Which table.
        table: &'static str,
        /// As the log has it.
        path: String,
    },
    /// The store does not give what the log names, or something else. A vacuum takes files that an old
    /// snapshot has.
    #[error("reading a file; if a vacuum has taken it meanwhile, verify anew")]
    File(#[from] LakeError),
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
