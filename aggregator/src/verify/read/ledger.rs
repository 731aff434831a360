//! Rows of the ledger.

use protocol::{GapReason, Previous};

use super::columns::{Columns, Key, Longs, Texts, Times};
use crate::verify::case::{
    Balances, ByTable, Case, DATA_TABLES, Entry, FIGURES, Figures, LedgerRow,
};
use crate::verify::error::VerifyError;

const KIND: &str = "batch_kind";

/// All that is read of it.
pub(super) fn columns() -> Vec<String> {
    let mut names: Vec<String> = [
        "node_name",
        "epoch",
        "seq",
        "boot_id",
        "window_end",
        KIND,
        "gap_reason",
        "prev_epoch",
        "prev_last",
    ]
    .map(str::to_owned)
    .to_vec();
    for table in DATA_TABLES {
        names.push(format!("rows_{}", table.name()));
        names.push(format!("rows_lost_{}", table.name()));
    }
    for figure in FIGURES {
        names.extend(PARTS.map(|part| format!("{figure}_{part}")));
    }
    names
}

const PARTS: [&str; 4] = ["total", "rows", "unattributed", "in_flight"];

struct Ledger<'a> {
    boot_id: Texts<'a>,
    window_end: Times<'a>,
    kind: Texts<'a>,
    gap_reason: Texts<'a>,
    prev_epoch: Texts<'a>,
    prev_last: Longs<'a>,
    rows: [Longs<'a>; DATA_TABLES.len()],
    lost: [Longs<'a>; DATA_TABLES.len()],
    /// By part, then by figure.
    balances: [[Longs<'a>; FIGURES.len()]; PARTS.len()],
}

pub(super) fn take(case: &mut Case, columns: &Columns<'_>) -> Result<(), VerifyError> {
    let keys = columns.keys()?;
    let ledger = Ledger::new(columns)?;
    for row in 0..columns.rows() {
        match keys.at(row).and_then(|key| Some((key, key.batch()?))) {
            Some((key, batch)) => {
                let entry = ledger.entry(columns, row)?;
                case.ledger(&ledger.row(row, (key, batch), entry));
            }
            None => case.outside(1),
        }
    }
    Ok(())
}

impl<'a> Ledger<'a> {
    fn new(columns: &Columns<'a>) -> Result<Self, VerifyError> {
        let by_table = |what: &str| -> Result<_, VerifyError> {
            let [a, b, c, d] =
                DATA_TABLES.map(|table| columns.longs(&format!("{what}_{}", table.name())));
            Ok([a?, b?, c?, d?])
        };
        let part = |part: &str| -> Result<_, VerifyError> {
            let [a, b, c, d, e] = FIGURES.map(|figure| columns.longs(&format!("{figure}_{part}")));
            Ok([a?, b?, c?, d?, e?])
        };
        let [total, rows, unattributed, in_flight] = PARTS.map(part);
        Ok(Self {
            boot_id: columns.texts("boot_id")?,
            window_end: columns.times("window_end")?,
            kind: columns.texts(KIND)?,
            gap_reason: columns.texts("gap_reason")?,
            prev_epoch: columns.texts("prev_epoch")?,
            prev_last: columns.longs("prev_last")?,
            rows: by_table("rows")?,
            lost: by_table("rows_lost")?,
            balances: [total?, rows?, unattributed?, in_flight?],
        })
    }

    fn row<'b>(
        &self,
        row: usize,
        (key, (epoch, seq)): (Key<'b>, (protocol::Epoch, u64)),
        entry: Entry,
    ) -> LedgerRow<'b>
    where
        'a: 'b,
    {
        LedgerRow {
            node: key.node,
            epoch,
            seq,
            boot_id: self.boot_id.at(row).unwrap_or_default(),
            window_end: self.window_end.at(row).unwrap_or_default(),
            previous: self.previous(row),
            entry,
        }
    }

    fn previous(&self, row: usize) -> Option<Previous> {
        Some(Previous {
            epoch: self.prev_epoch.at(row)?.parse().ok()?,
            last: u64::try_from(self.prev_last.at(row)?).ok()?,
        })
    }

    fn entry(&self, columns: &Columns<'_>, row: usize) -> Result<Entry, VerifyError> {
        match self.kind.at(row) {
            Some("whole") => Ok(Entry::Whole {
                rows: by_table(&self.rows, row),
                balance: self.balance(row),
            }),
            Some("gap") => Ok(Entry::Gap {
                reason: self.gap_reason.at(row).and_then(reason),
                lost: by_table(&self.lost, row),
            }),
            Some(_) => Err(columns.wrong(KIND, "says neither whole nor gap")),
            None => Err(columns.wrong(KIND, "is absent in a row of the ledger")),
        }
    }

    fn balance(&self, row: usize) -> Option<Balances> {
        let part = |columns: &[Longs<'_>; FIGURES.len()]| -> Option<Figures> {
            let [a, b, c, d, e] = columns.each_ref().map(|column| column.at(row));
            Some([a?, b?, c?, d?, e?])
        };
        let [total, rows, unattributed, in_flight] = &self.balances;
        Some(Balances {
            total: part(total)?,
            rows: part(rows)?,
            unattributed: part(unattributed)?,
            in_flight: part(in_flight)?,
        })
    }
}

/// What is absent is none.
fn by_table(columns: &[Longs<'_>; DATA_TABLES.len()], row: usize) -> ByTable {
    let count = |column: &Longs<'_>| u64::try_from(column.at(row)?).ok();
    columns.each_ref().map(|column| count(column).unwrap_or(0))
}

fn reason(name: &str) -> Option<GapReason> {
    match name {
        "spool_full" => Some(GapReason::SpoolFull),
        "spool_age" => Some(GapReason::SpoolAge),
        "spool_lost" => Some(GapReason::SpoolLost),
        "refused" => Some(GapReason::Refused),
        _ => None,
    }
}
