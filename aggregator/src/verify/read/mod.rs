//! From the tables' live files to counts. Only the columns that matter are fetched, one row group at
//! a time.

mod columns;
mod ledger;
mod rows;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use object_store::path::Path;
use protocol::{Table, Timestamp};

use super::case::{Case, DATA_TABLES, Share};
use super::error::VerifyError;
use super::judge::{Rules, judge};
use super::report::Report;
use crate::lake::{parquet_file, store::Store};
use columns::Columns;

/// A file that a table's log says is in the table.
#[derive(Clone, Debug)]
pub struct LiveFile {
    /// In the store.
    pub path: Path,
    /// In bytes.
    pub size: u64,
    /// Rows in it, if the log tells.
    pub rows: Option<u64>,
    /// When it was written.
    pub modified: Timestamp,
}

/// A table at one version.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Of the log.
    pub version: u64,
    /// All that is in it.
    pub files: Vec<LiveFile>,
    /// From when on it has its rows, if older ones were taken out for their age.
    pub kept_from: Option<Timestamp>,
}

/// Tells what is in the tables.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// The table as it is now.
    async fn live(&self, table: Table) -> Result<Live, VerifyError>;
}

/// How far the reading is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Table that is being read.
    pub table: Table,
    /// Files of it that were read.
    pub files: usize,
    /// Of so many.
    pub of_files: usize,
    /// How often all tables were read before.
    pub rounds: u64,
    /// How often they will be.
    pub of_rounds: u64,
}

/// What is read, and how.
pub struct Reading<'a> {
    /// Where the files are.
    pub store: &'a Store,
    /// Where the logs are.
    pub snapshots: &'a dyn Snapshots,
    /// By what is judged.
    pub rules: Rules,
    /// Memory for counts, in bytes. Below what all batches need, the tables are read several times.
    pub memory: u64,
    /// Called with each file that was read.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// Memory that one batch takes in a [`Case`].
const BATCH_BYTES: u64 = 320;

impl Reading<'_> {
    /// Reads and judges everything.
    pub async fn judge(&self) -> Result<Report, VerifyError> {
        // The ledger first: what it has is in every table that is read after it.
        let ledger = self.snapshots.live(Table::Reconcile).await?;
        let mut tables = vec![];
        for table in DATA_TABLES {
            tables.push(self.snapshots.live(table).await?);
        }
        let of = self.rounds(&ledger);
        let mut report = Report::default();
        for number in 0..of {
            let mut case = Case::new(Share { number, of });
            for (index, live) in tables.iter().enumerate() {
                if let Some(from) = live.kept_from {
                    case.kept_from(index, from);
                }
            }
            self.read(&mut case, (Table::Reconcile, &ledger), (number, of))
                .await?;
            for (table, live) in DATA_TABLES.into_iter().zip(&tables) {
                self.read(&mut case, (table, live), (number, of)).await?;
            }
            report.merge(judge(&case, &self.rules));
        }
        let all = DATA_TABLES.into_iter().zip(&tables);
        for (table, live) in all.chain([(Table::Reconcile, &ledger)]) {
            report.versions.insert(table.name(), live.version);
        }
        Ok(report)
    }

    fn rounds(&self, ledger: &Live) -> u64 {
        let rows = ledger.files.iter().map(|file| file.rows.unwrap_or(0));
        let bytes = rows.sum::<u64>().saturating_mul(BATCH_BYTES);
        bytes.div_ceil(self.memory.max(1)).max(1)
    }

    async fn read(
        &self,
        case: &mut Case,
        (table, live): (Table, &Live),
        (rounds, of_rounds): (u64, u64),
    ) -> Result<(), VerifyError> {
        let names = match DATA_TABLES.iter().position(|data| *data == table) {
            Some(_) => rows::columns(table),
            None => ledger::columns(),
        };
        for (index, file) in live.files.iter().enumerate() {
            parquet_file::read(self.store, (&file.path, file.size), &names, |batch| {
                let columns = Columns::new(batch, file);
                match DATA_TABLES.iter().position(|data| *data == table) {
                    Some(index) => rows::take(case, index, &columns),
                    None => ledger::take(case, &columns),
                }
            })
            .await?;
            (self.progress)(Progress {
                table,
                files: index + 1,
                of_files: live.files.len(),
                rounds,
                of_rounds,
            });
        }
        Ok(())
    }
}
