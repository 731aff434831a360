//! The tables: Parquet files and a Delta log for each, on any object store, committed as
//! compare-and-swap registers.
//!
//! Several processes may write the same tables at once, and none of them knows of the others. What keeps
//! every batch in every table once is only this: an entry of a table's log is put at exactly the version
//! that follows the one from which its rows were filtered.

mod commit;
pub mod counters;
pub mod encode;
mod error;
pub mod log;
pub mod merge;
pub mod parquet_file;
pub mod random;
mod rebuild;
pub mod rows;
pub mod schema;
pub mod settings;
mod state;
pub mod store;
#[cfg(test)]
pub(crate) mod tests;
pub mod watermark;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::{ObjectStore, path::Path};
use protocol::Table;

use crate::intake::Ledger;
use counters::Counters;
use settings::Settings;
use state::TableState;
use store::{Created, Store};

pub use error::LakeError;

/// The tables under one prefix of a store.
pub struct Lake {
    store: Store,
    settings: Settings,
    counters: Arc<Counters>,
    tables: Vec<TableState>,
    table_id: String,
    /// What is known of the ledger; its version only rises.
    ledger: Mutex<Ledger>,
    /// One cycle at a time.
    cycle: tokio::sync::Mutex<()>,
}

impl Lake {
    /// Proves that the store refuses a second put of one name, makes the tables that are not there,
    /// and reads the others. The store's client must not retry by itself.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        settings: Settings,
    ) -> Result<Self, LakeError> {
        let counters = Arc::new(Counters::default());
        let random = settings.random.clone();
        let store = Store::new(store, settings.retry, random, counters.clone());
        // All are looked at before anything is put: where one is somebody else's, nothing is made beside it.
        for table in Table::ALL {
            TableState::check(&store, &prefix, table, &settings).await?;
        }
        prove_put_if_absent(&store, &prefix).await?;
        let mut tables = Vec::with_capacity(Table::ALL.len());
        for table in Table::ALL {
            tables.push(TableState::open(&store, &prefix, table, &settings, &counters).await?);
        }
        let mut lake = Self {
            store,
            settings,
            counters,
            tables,
            table_id: String::new(),
            ledger: Mutex::default(),
            cycle: tokio::sync::Mutex::default(),
        };
        lake.table_id = lake.state(Table::Reconcile).id().to_owned();
        lake.reload_ledger().await?;
        Ok(lake)
    }

    /// Id of the table `reconcile`.
    pub fn table_id(&self) -> &str {
        &self.table_id
    }

    /// What was done so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The ledger's watermark as it is known.
    pub fn ledger(&self) -> Ledger {
        self.ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads the ledger's log anew, and its watermark. May be called while a cycle runs.
    pub async fn reload_ledger(&self) -> Result<Ledger, LakeError> {
        self.counters.reloads.add(1);
        let base = self.state(Table::Reconcile).read().await?;
        self.learn(Ledger {
            version: base.version,
            marks: base.marks,
        });
        Ok(self.ledger())
    }

    fn learn(&self, newer: Ledger) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if newer.version >= ledger.version {
            *ledger = newer;
        }
    }

    fn state(&self, table: Table) -> &TableState {
        &self.tables[table as usize]
    }
}

/// A store that overwrites what must not be overwritten would lose rows silently. One object is enough
/// for all times: whoever finds it there has it proven already.
async fn prove_put_if_absent(store: &Store, prefix: &Path) -> Result<(), LakeError> {
    let path = prefix.clone().join("_podledger").join("probe");
    let content = Bytes::from_static(b"a second put of this name must be refused\n");
    for _ in 0..2 {
        if store.create(&path, &content).await? == Created::Taken {
            return Ok(());
        }
    }
    Err(LakeError::NoConditionalPut {
        path: path.to_string(),
    })
}
