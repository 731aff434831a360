//! Days whose rows nobody wants any more.

use protocol::{Table, Timestamp};

use super::{
    Care,
    kept::{Kept, info},
};
use crate::lake::{
    LakeError,
    log::{
        KEPT_FROM, Snapshot,
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
        let first = today.saturating_sub(i64::from(days));
        // Whoever was faster did the same.
        while let Some(snapshot) = kept.read().await? {
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
    let day = |date: &str| {
        let time = humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok()?;
        Some(Timestamp::from_system(time).unix_us.div_euclid(DAY_US))
    };
    let old = files.filter(|(_, file)| {
        let date = file.partition.get("date").and_then(Option::as_deref);
        date.and_then(day).is_some_and(|day| day < first)
    });
    old.map(|(path, _)| path.clone()).collect()
}
