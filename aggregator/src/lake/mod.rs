//! The tables: Parquet files and a Delta log for each, on any object store, committed as
//! compare-and-swap registers.

pub mod rows;
pub mod schema;

use std::sync::Arc;

use object_store::{ObjectStore, path::Path};

use crate::intake::{Sealed, Watermark};

/// Why the tables can't be read or written.
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
}

/// The tables under one prefix of a store.
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Lake {
    /// Proves that the store refuses a second put of one name, makes the tables that are not there,
    /// and reads the others.
    pub async fn open(store: Arc<dyn ObjectStore>, prefix: Path) -> Result<Self, LakeError> {
        Ok(Self { store, prefix })
    }

    /// Id of the table `reconcile`.
    pub fn table_id(&self) -> &str {
        let _ = (&self.store, &self.prefix);
        unimplemented!()
    }

    /// The ledger's watermark as it is known.
    pub fn ledger(&self) -> &Watermark {
        unimplemented!()
    }

    /// Reads the ledger's log anew, and its watermark.
    pub async fn reload_ledger(&mut self) -> Result<&Watermark, LakeError> {
        unimplemented!()
    }

    /// One cycle: data tables first, the ledger last. Goes on through everything that can be tried
    /// again; an error leaves what was sealed uncommitted, in whole or in part, for the next cycle.
    pub async fn commit(&mut self, sealed: &Sealed) -> Result<&Watermark, LakeError> {
        let _ = sealed;
        unimplemented!()
    }
}
