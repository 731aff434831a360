//! Judges what was counted: pure, no clock and no store.

mod balance;
mod chain;
mod counts;
#[cfg(test)]
mod tests;

use std::time::Duration;

use protocol::{Epoch, GapReason, Table, Timestamp};

use super::case::{Batch, Case, DATA_TABLES, Standing, Start};
use super::finding::{Finding, Wrong};
use super::report::Report;

/// By what age is judged.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The present.
    pub now: Timestamp,
    /// How long a commit may take: what is younger may be half done.
    pub settle: Duration,
}

impl Rules {
    fn is_settled(&self, seen: Timestamp) -> bool {
        let age = i64::try_from(self.settle.as_micros()).unwrap_or(i64::MAX);
        seen.plus_us(age) < self.now
    }
}

/// Whose batches are judged, and where it is written down.
struct Bench<'a> {
    rules: &'a Rules,
    node: &'a str,
    report: &'a mut Report,
}

impl Bench<'_> {
    fn wrong(&mut self, wrong: Wrong, epoch: Epoch, seq: u64, detail: impl FnOnce() -> String) {
        let node = self.node;
        self.report.findings.add(wrong, || Finding {
            node: node.into(),
            epoch,
            seq,
            detail: detail(),
        });
    }
}

/// Everything that is wrong, and how much there is.
pub fn judge(case: &Case, rules: &Rules) -> Report {
    let mut report = Report {
        rows_outside: case.outside,
        ..Report::default()
    };
    for table in Table::ALL {
        report.rows.insert(table.name(), 0);
    }
    for (node, starts) in &case.nodes {
        report.nodes += 1;
        let mut bench = Bench {
            rules,
            node,
            report: &mut report,
        };
        chain::judge(&mut bench, starts);
        for (epoch, start) in starts {
            tally(bench.report, start);
            counts::judge(&mut bench, *epoch, start);
            balance::judge(&mut bench, *epoch, start);
        }
    }
    report
}

fn tally(report: &mut Report, start: &Start) {
    report.epochs += 1;
    for batch in start.batches.values() {
        for (table, found) in DATA_TABLES.into_iter().zip(batch.found) {
            *report.rows.entry(table.name()).or_default() += u64::from(found);
        }
        if batch.is_in_ledger() {
            report.batches += 1;
            report.pushes += u64::from(start.is_pushed());
            let rows = report.rows.entry(Table::Reconcile.name()).or_default();
            *rows += 1 + u64::from(batch.again);
        }
        if let Standing::Gap(reason) = batch.standing {
            tally_gap(report, batch, reason);
        }
    }
}

fn tally_gap(report: &mut Report, batch: &Batch, reason: Option<GapReason>) {
    let gaps = report.gaps.entry(name(reason)).or_default();
    gaps.batches += 1;
    gaps.rows_lost += batch.told.iter().map(|lost| u64::from(*lost)).sum::<u64>();
    gaps.rows_present += batch.rows_found();
}

/// The reason as the ledger's column tells it.
fn name(reason: Option<GapReason>) -> &'static str {
    match reason {
        Some(GapReason::SpoolFull) => "spool_full",
        Some(GapReason::SpoolAge) => "spool_age",
        Some(GapReason::SpoolLost) => "spool_lost",
        Some(GapReason::Refused) => "refused",
        None => "unknown",
    }
}
