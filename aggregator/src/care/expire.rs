//! Days whose rows nobody wants any more.

use protocol::Table;

use super::{
    Care,
    choose::parse_date,
    kept::{Kept, info},
};
use crate::lake::{
    LakeError,
    log::{
        File, KEPT_FROM, Snapshot,
        action::{Line, Remove, Transaction},
    },
};

const DAY_US: i64 = 24 * 3_600_000_000;

impl Care {
    /// Takes old days out of a table, and says in its log from which day on it has all rows. The ledger
    /// keeps all of its rows: it proves what the others had.
    pub(super) async fn expire(&self, kept: &Kept) -> Result<(), LakeError> {
        let is_ledger = kept.table == Some(Table::Reconcile);
        let Some(days) = self.settings.days.filter(|_| !is_ledger) else {
            return Ok(());
        };
        let today = self.now().unix_us.div_euclid(DAY_US);
        let until = |today: i64| today.saturating_sub(i64::from(days));
        // Whoever was faster did the same.
        while let Some(snapshot) = kept.read().await? {
            if older_than(&snapshot, until(today)).is_empty() || appends_only(&snapshot) {
                break;
            }
            // A clock that runs ahead of every node's does not count, or it would take out everything.
            let Some(newest) = self.newest_day().await? else {
                break;
            };
            let kept_from = i64::try_from(snapshot.kept_from).unwrap_or(i64::MAX);
            // What went before, by another clock or setting, is not promised again.
            let first = until(today.min(newest)).max(kept_from);
            let old = older_than(&snapshot, first);
            if old.is_empty() {
                break;
            }
            let files = old.len();
            self.tell(kept, &format!("taking out {files} files of old days"));
            if kept.put(&snapshot, &self.without(&old, first)).await? {
                self.tally.expired_files.add(files as u64);
                break;
            }
        }
        Ok(())
    }

    /// The newest day that the ledger has.
    async fn newest_day(&self) -> Result<Option<i64>, LakeError> {
        let mut tables = self.tables.iter();
        let Some(ledger) = tables.find(|kept| kept.table == Some(Table::Reconcile)) else {
            return Ok(None);
        };
        let snapshot = ledger.read().await?;
        let files = snapshot.iter().flat_map(|snapshot| &snapshot.files);
        Ok(files.flatten().filter_map(|(_, file)| day(file)).max())
    }

    fn without(&self, old: &[String], first: i64) -> Vec<Line> {
        let ms = self.now().unix_us / 1_000;
        let removes = old.iter().map(|path| Line {
            remove: Some(Remove {
                path: path.clone(),
                deletion_timestamp: Some(ms),
                data_change: true,
            }),
            ..Line::default()
        });
        let txn = Transaction {
            app_id: KEPT_FROM.to_owned(),
            version: first,
            last_updated: None,
        };
        let txn = Line {
            txn: Some(txn),
            ..Line::default()
        };
        [info("DELETE", ms), txn]
            .into_iter()
            .chain(removes)
            .collect()
    }
}

/// Files of days before this one, which is a number since 1970.
fn older_than(snapshot: &Snapshot, first: i64) -> Vec<String> {
    let files = snapshot.files.iter().flatten();
    let old = files.filter(|(_, file)| day(file).is_some_and(|day| day < first));
    old.map(|(path, _)| path.clone()).collect()
}

/// The day that a file's rows are of.
fn day(file: &File) -> Option<i64> {
    let date = file.partition.get("date")?.as_deref()?;
    Some(parse_date(date)?.unix_us.div_euclid(DAY_US))
}

/// Somebody wants no row taken out.
fn appends_only(snapshot: &Snapshot) -> bool {
    let set = snapshot.metadata.configuration.get("delta.appendOnly");
    set.is_some_and(|value| value == "true")
}
