//! One cycle: each data table in turn, the ledger last. There is one rule for all that can go wrong:
//! what is not certain is read again, filtered again, and put at the version after that.

mod ahead;
mod files;

use std::{sync::Arc, time::Duration};

use protocol::Table;
use tokio::time::sleep;

use super::{
    Lake, LakeError,
    log::{
        Put, WATERMARK,
        action::{CommitInfo, Line, Transaction},
    },
    settings::CrashPoint,
    state::Base,
    watermark,
};
use crate::{
    held::Held,
    intake::{Ledger, Sealed, Watermark},
};
use ahead::{Ahead, Lacking};
use files::Files;

/// Pause after the first conflict; rivals part within a few of them.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause: nothing else tells that a store is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How one try to commit a table ended.
enum Tried {
    /// All that was sealed is in the table.
    Done,
    /// Perhaps. Try again.
    Unsure,
}

/// What is kept from one try to the next.
#[derive(Default)]
struct Attempt {
    files: Option<Files>,
    claim: Option<Claim>,
}

/// A watermark object of our own.
struct Claim {
    /// The number that it was raised from: it fits on that one only.
    from: u64,
    number: u64,
    marks: Arc<Watermark>,
}

impl Lake {
    /// One cycle: data tables first, the ledger last. Goes on through everything that can be tried
    /// again, for as long as it takes; an error leaves what was sealed uncommitted, in whole or in part,
    /// for the next cycle. May be dropped at any time.
    pub async fn commit(&self, sealed: &Sealed) -> Result<Ledger, LakeError> {
        let _turn = self.cycle.lock().await;
        let mut ahead = Ahead::new(sealed);
        for table in Table::ALL {
            self.commit_table(table, sealed, &mut ahead).await?;
        }
        (self.settings.hook)(CrashPoint::BeforeAnswer).await;
        Ok(self.ledger())
    }

    async fn commit_table(
        &self,
        table: Table,
        sealed: &Sealed,
        ahead: &mut Ahead<'_>,
    ) -> Result<(), LakeError> {
        let mut attempt = Attempt::default();
        let mut pause = FIRST_PAUSE;
        let outcome = loop {
            match self.try_table(table, sealed, ahead, &mut attempt).await {
                Ok(Tried::Done) => break Ok(()),
                Ok(Tried::Unsure) => {}
                Err(error) if error.may_pass() => {
                    log::warn!("committing {}, trying again: {error:?}", table.name());
                }
                Err(error) => break Err(error),
            }
            sleep(self.settings.random.jitter(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        self.forget(attempt.files);
        outcome
    }

    async fn try_table(
        &self,
        table: Table,
        sealed: &Sealed,
        ahead: &mut Ahead<'_>,
        attempt: &mut Attempt,
    ) -> Result<Tried, LakeError> {
        let base = self.state(table).read().await?;
        if table == Table::Reconcile {
            self.learn(Ledger {
                version: base.version,
                marks: base.marks.clone(),
            });
        }
        let own_entry = attempt
            .claim
            .as_ref()
            .is_some_and(|claim| claim.number == base.number);
        let lacking = self.above(table, sealed, &base);
        if lacking.batches.is_empty() {
            if own_entry {
                attempt.files = None;
            }
            return Ok(Tried::Done);
        }
        let files = &mut attempt.files;
        self.upload(&lacking, &base, ahead, files).await?;
        self.reach(CrashPoint::AfterUpload(table)).await;
        let claim = self.claim(table, sealed, &base, &mut attempt.claim).await?;
        self.reach(CrashPoint::AfterWatermark(table)).await;
        let Some(files) = &attempt.files else {
            return Ok(Tried::Unsure);
        };
        let lines = self.entry(files, claim.number);
        if !self.put_entry(table, &base, &lines).await? {
            self.counters.conflicts.add(1);
            return Ok(Tried::Unsure);
        }
        self.state(table)
            .advance(&base, claim.number, &claim.marks)
            .await;
        self.count(files);
        attempt.files = None;
        self.reach(CrashPoint::AfterLogEntry(table)).await;
        if table == Table::Reconcile {
            self.learn(Ledger {
                version: base.version.saturating_add(1),
                marks: claim.marks.clone(),
            });
        }
        Ok(Tried::Done)
    }

    /// Those sealed batches that have rows in a table and are not in it yet.
    fn above(&self, table: Table, sealed: &Sealed, base: &Base) -> Lacking {
        let ledger = self.ledger();
        let is_new = |batch: &&Held| {
            let seq = base.marks.get(&batch.sender).map_or(0, |mark| mark.seq);
            if table == Table::Reconcile {
                return batch.seq > seq;
            }
            // What the ledger has is in every table, even where that table's watermark lags.
            let seq = seq.max(ledger.seq(&batch.sender));
            batch.gap.is_none() && batch.rows[table] > 0 && batch.seq > seq
        };
        let batches = sealed.batches.iter().filter(is_new).cloned().collect();
        Lacking { table, batches }
    }

    /// The watermark that goes with this base: the one of the last try, if it was raised from the same.
    async fn claim<'a>(
        &self,
        table: Table,
        sealed: &Sealed,
        base: &Base,
        last: &'a mut Option<Claim>,
    ) -> Result<&'a Claim, LakeError> {
        let usable = last.take().filter(|claim| claim.from == base.number);
        let claim = match usable {
            Some(claim) => claim,
            None => {
                let now = (self.settings.clock)();
                let gaps_count = table == Table::Reconcile;
                let mut marks = watermark::raised(&base.marks, sealed, gaps_count, now);
                watermark::prune(&mut marks, now, self.settings.idle);
                let path = &self.state(table).path;
                let number = watermark::claim(&self.store, path, base.number, &marks).await?;
                Claim {
                    from: base.number,
                    number,
                    marks: Arc::new(marks),
                }
            }
        };
        Ok(last.insert(claim))
    }

    fn entry(&self, files: &Files, number: u64) -> Vec<Line> {
        let info = CommitInfo {
            timestamp: (self.settings.clock)().unix_us / 1_000,
            operation: "WRITE".to_owned(),
            engine_info: concat!("podledger/", env!("CARGO_PKG_VERSION")).to_owned(),
            token: self.settings.random.id().to_string(),
        };
        let txn = Transaction {
            app_id: WATERMARK.to_owned(),
            version: i64::try_from(number).unwrap_or(i64::MAX),
            last_updated: None,
        };
        let first = [
            Line {
                commit_info: Some(info),
                ..Line::default()
            },
            Line {
                txn: Some(txn),
                ..Line::default()
            },
        ];
        let adds = files.adds().map(|add| Line {
            add: Some(add.clone()),
            ..Line::default()
        });
        first.into_iter().chain(adds).collect()
    }

    /// Puts the entry after the base. True only if it is surely there and surely ours.
    async fn put_entry(
        &self,
        table: Table,
        base: &Base,
        lines: &[Line],
    ) -> Result<bool, LakeError> {
        let state = self.state(table);
        let put = state.log.put_next(base.version, lines).await;
        let put = put.inspect_err(|_| self.counters.conflicts.add(1))?;
        if put == Put::Overtaken {
            state.forget().await;
        }
        Ok(put == Put::Surely)
    }

    async fn reach(&self, point: CrashPoint) {
        (self.settings.hook)(point).await;
    }
}
