//! The care of the tables: small files become large ones, old days go, what no table names is deleted,
//! and logs stay short.
//!
//! It may run anywhere, as often as it likes, beside any number of writers and of others that do the
//! same: whatever it changes goes through the same put at exactly the next version as a commit does. All of
//! it may be dropped at any time.

mod choose;
pub mod command;
mod compact;
mod expire;
mod failures;
pub mod hourly;
pub mod keeper;
mod kept;
#[cfg(test)]
mod tests;
pub mod turn;
mod upkeep;
mod vacuum;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64},
    },
    time::Duration,
};

use object_store::{ObjectStore, path::Path};
use protocol::{Table, Timestamp};

use crate::lake::{
    LakeError, counters::Counter, counters::Counters, merge::Merger, random::Random,
    settings::Clock, store::Retry, store::Store,
};
use failures::Failures;
use kept::Kept;

pub use choose::{Rules, Size};
pub use compact::Compacted;
pub use vacuum::Vacuumed;

/// What the care is given from outside, and how much of it is wanted.
#[derive(Clone)]
pub struct Settings {
    /// Merges files.
    pub merger: Merger,
    /// Schema of a table as Delta's `schemaString`.
    pub schema: fn(Table) -> String,
    /// Names.
    pub random: Arc<Random>,
    /// Time of day.
    pub clock: Clock,
    /// How the store is asked again.
    pub retry: Retry,
    /// Which files are merged.
    pub rules: Rules,
    /// How long after they were replaced files and log entries are kept, for those who still read an older
    /// version; and files that no version names.
    pub readers: Duration,
    /// How long a table's log tells its history.
    pub history: Duration,
    /// How long watermarks are kept that are no longer named.
    pub watermarks: Duration,
    /// So many log entries are replaced by a checkpoint.
    pub entries: u64,
    /// Days after which rows are deleted; none to keep them for ever. The ledger stays.
    pub days: Option<u32>,
    /// Whether `pod_usage_hourly` is made.
    pub hourly: bool,
    /// Hears what is being done.
    pub progress: Arc<dyn Fn(Progress<'_>) + Send + Sync>,
}

impl Settings {
    /// The defaults, with this merger.
    pub fn new(merger: Merger, schema: fn(Table) -> String) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            merger,
            schema,
            random: Arc::new(Random::of_the_system()),
            clock: Arc::new(|| Timestamp::from_system(std::time::SystemTime::now())),
            retry: Retry {
                // A large file may take its time.
                answer: Duration::from_secs(300),
                operation: Duration::from_secs(1_200),
                ..Retry::default()
            },
            rules: Rules::default(),
            readers: DAY * 7,
            history: DAY * 7,
            watermarks: DAY,
            entries: 100,
            days: None,
            hourly: true,
            progress: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settings")
            .field("rules", &self.rules)
            .field("readers", &self.readers)
            .field("history", &self.history)
            .field("watermarks", &self.watermarks)
            .field("entries", &self.entries)
            .field("days", &self.days)
            .finish_non_exhaustive()
    }
}

/// A step of long work.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Which table.
    pub table: &'a str,
    /// What is done with it, as in "merging 40 files of 2026-01-01".
    pub doing: &'a str,
}

/// What was done so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files that were replaced by larger ones.
    pub merged_files: Counter,
    /// Rows that were written again for it.
    pub merged_rows: Counter,
    /// Merges that were given up because their files had gone meanwhile.
    pub given_up: Counter,
    /// Files of days that are over.
    pub expired_files: Counter,
    /// Files that no table named.
    pub vacuumed_files: Counter,
    /// Hours made.
    pub hours: Counter,
    /// Checkpoints put.
    pub checkpoints: Counter,
    /// Log entries and watermarks deleted.
    pub cleaned: Counter,
    /// Rounds that ended well.
    pub rounds: Counter,
    /// Rounds that did not.
    pub failures: Counter,
    /// It was this one's turn when it was last asked.
    pub is_at_it: AtomicBool,
}

/// See the module.
pub struct Care {
    store: Store,
    settings: Settings,
    tally: Tally,
    tables: Vec<Kept>,
    hourly: Option<Kept>,
    /// Up to which hour all are made.
    hours_made: AtomicI64,
}

impl Care {
    /// Of the tables under one prefix of a store. The store's client must not retry by itself.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &Path, settings: Settings) -> Self {
        let counters = Arc::new(Counters::default());
        let random = settings.random.clone();
        let store = Store::new(store, settings.retry, random, counters);
        let kept = |table| Kept::new(&store, prefix, table, (settings.schema)(table));
        let tables = Table::ALL.map(kept).into();
        let hourly = || Kept::named(&store, prefix, hourly::NAME, hourly::schema());
        Self {
            hourly: settings.hourly.then(hourly),
            hours_made: AtomicI64::new(i64::MIN),
            store,
            tally: Tally::default(),
            tables,
            settings,
        }
    }

    /// What was done so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether there is any table.
    pub async fn has_tables(&self) -> Result<bool, LakeError> {
        for table in &self.tables {
            if table.read().await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everything that should be done often, for all tables: old days, small files, checkpoints, logs.
    /// What can't be done holds up nothing else, unless the store does not answer; the first error is told
    /// in the end.
    pub async fn round(&self) -> Result<Compacted, LakeError> {
        let (mut compacted, mut failures) = (Compacted::default(), Failures::default());
        // Before the files of an hour become those of a day.
        self.hourly()
            .await
            .unwrap_or_else(|error| failures.keep(error));
        for table in &self.tables {
            self.expire(table)
                .await
                .or_else(|error| failures.hear(error))?;
            let merged = self.compact_table(table, &mut compacted).await;
            merged.or_else(|error| failures.hear(error))?;
            self.keep_short(table)
                .await
                .or_else(|error| failures.hear(error))?;
        }
        if let Some(hourly) = &self.hourly {
            self.keep_short(hourly)
                .await
                .or_else(|error| failures.hear(error))?;
        }
        failures.end()?;
        self.tally.rounds.add(1);
        Ok(compacted)
    }

    /// Deletes what no table names, of all tables. With `is_dry` it only says what it would delete.
    pub async fn vacuum(&self, is_dry: bool) -> Result<Vacuumed, LakeError> {
        let mut all = Vacuumed::default();
        let mut failures = Failures::default();
        for table in self.tables.iter().chain(&self.hourly) {
            match self.vacuum_table(table, is_dry).await {
                Ok(vacuumed) => all.add(&vacuumed),
                Err(error) => failures.hear(error)?,
            }
        }
        failures.end().map(|()| all)
    }

    fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }

    fn before(&self, age: Duration) -> Timestamp {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        self.now().plus_us(age.saturating_neg())
    }

    fn tell(&self, table: &Kept, doing: &str) {
        (self.settings.progress)(Progress {
            table: table.name(),
            doing,
        });
    }
}
