//! What the lake has done so far, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// More by this.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// So far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests to the store that were made again.
    pub retries: Counter,
    /// Log entries that are surely this process's.
    pub entries: Counter,
    /// Puts of a log entry whose name was taken, or whose outcome is not known.
    pub conflicts: Counter,
    /// Files that were written and that no log entry of this process names: vacuum removes them.
    pub orphans: Counter,
    /// Rows in surely committed files, all tables together.
    pub rows: Counter,
    /// Bytes of surely committed files.
    pub bytes: Counter,
    /// Watermarks that were not there and were made anew from the rows of their table.
    pub rebuilt: Counter,
    /// Readings of a table's log.
    pub reloads: Counter,
}
