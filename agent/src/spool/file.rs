//! The database of one spool: opened, changed, and its errors judged by what failed beneath it.

use std::sync::Arc;

use redb::{Database, ReadableDatabase as _};

use super::{
    faults::{Fault, Faults},
    place::Bytes,
    rows::{self, ReadRows, Rows},
    sealed::Sealed,
};

/// Bytes that the database may hold in memory: an agent may have 16 MiB in all, and reads a batch
/// seldom twice.
const CACHE: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct File {
    bytes: Bytes,
    faults: Arc<Faults>,
    db: Database,
    count: u64,
}

impl File {
    /// One that is there.
    pub(super) fn open(bytes: Bytes) -> Result<Self, Fault> {
        let faults = Arc::new(Faults::default());
        let sealed = match Sealed::open(Arc::clone(&bytes), Arc::clone(&faults)) {
            Ok(sealed) => sealed,
            Err(reason) => return Err(Fault::Unusable(reason)),
        };
        if let Some(fault) = faults.worst() {
            return Err(fault);
        }
        Self::on(bytes, faults, sealed)
    }

    /// An empty one; `lost` says what became of the one before.
    pub(super) fn create(bytes: Bytes, lost: Option<&str>) -> Result<Self, Fault> {
        let faults = Arc::new(Faults::default());
        let sealed = Sealed::create(Arc::clone(&bytes), Arc::clone(&faults));
        let mut file = Self::on(bytes, faults, sealed)?;
        file.change(|rows| match lost {
            Some(reason) => rows::put(rows, rows::LOST, reason.as_bytes()),
            None => Ok(()),
        })?;
        Ok(file)
    }

    fn on(bytes: Bytes, faults: Arc<Faults>, sealed: Sealed) -> Result<Self, Fault> {
        let db = Database::builder()
            .set_cache_size(CACHE)
            .create_with_backend(sealed)
            .map_err(|error| judge(&faults, &error.into()))?;
        Ok(Self {
            bytes,
            faults,
            db,
            count: 0,
        })
    }

    /// Beneath it.
    pub(super) fn bytes(&self) -> Bytes {
        Arc::clone(&self.bytes)
    }

    /// What has failed so far.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.faults.worst()
    }

    /// Transactions that took place.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Transactions that took place before it was opened.
    pub(super) fn set_count(&mut self, count: u64) {
        self.count = count;
    }

    /// One transaction; on disk when it returns.
    pub(super) fn change(
        &mut self,
        work: impl FnOnce(&mut Rows<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), Fault> {
        self.commit(work)
            .map_err(|error| judge(&self.faults, &error))?;
        self.count += 1;
        Ok(())
    }

    fn commit(
        &self,
        work: impl FnOnce(&mut Rows<'_>) -> Result<(), redb::Error>,
    ) -> Result<(), redb::Error> {
        let mut transaction = self.db.begin_write()?;
        // In one phase, a damaged page of the last commit looks like a commit that a loss of power cut
        // short, and would be undone without a word.
        transaction.set_two_phase_commit(true);
        let mut table = transaction.open_table(rows::TABLE)?;
        work(&mut table)?;
        rows::put(&mut table, rows::COUNT, &(self.count + 1).to_le_bytes())?;
        drop(table);
        transaction.commit()?;
        Ok(())
    }

    /// Reads what is committed.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadRows) -> Result<T, redb::Error>,
    ) -> Result<T, Fault> {
        let read = || {
            let transaction = self.db.begin_read()?;
            work(&transaction.open_table(rows::TABLE)?)
        };
        read().map_err(|error| judge(&self.faults, &error))
    }

    /// What was read makes no sense: it is not to be used any more.
    pub(super) fn spoilt(&self, reason: String) -> Fault {
        self.faults.unusable(reason.clone());
        Fault::Unusable(reason)
    }
}

fn judge(faults: &Faults, error: &redb::Error) -> Fault {
    faults
        .worst()
        .unwrap_or_else(|| Fault::Unusable(error.to_string()))
}
