//! The ledger's seqs are 1, 2, 3 ... each once, and every table has the rows that the ledger says.

use protocol::Epoch;

use super::{Bench, Wrong};
use crate::verify::case::{Batch, DATA_TABLES, Standing, Start};

pub(super) fn judge(bench: &mut Bench<'_>, epoch: Epoch, start: &Start) {
    seqs(bench, epoch, start);
    for (seq, batch) in &start.batches {
        match batch.standing {
            Standing::Whole => whole(bench, epoch, (*seq, batch)),
            Standing::Gap(_) => gap(bench, epoch, (*seq, batch)),
            Standing::Absent => absent(bench, epoch, (*seq, batch)),
        }
    }
}

fn seqs(bench: &mut Bench<'_>, epoch: Epoch, start: &Start) {
    let last = start.last();
    let mut next = 1;
    for (seq, batch) in start.ledger() {
        if batch.again > 0 {
            let times = u64::from(batch.again) + 1;
            bench.wrong(Wrong::LedgerTwice, epoch, seq, || {
                format!("{times} rows in the ledger, should be 1")
            });
        }
        if seq > next {
            bench.wrong(Wrong::LedgerHole, epoch, next, || {
                format!("seqs {next} to {} of 1 to {last} are missing", seq - 1)
            });
        }
        next = seq.saturating_add(1);
    }
}

fn whole(bench: &mut Bench<'_>, epoch: Epoch, (seq, batch): (u64, &Batch)) {
    let counts = batch.found.iter().zip(batch.told).zip(batch.expired);
    for (table, ((found, told), is_expired)) in DATA_TABLES.iter().zip(counts) {
        if is_expired {
            continue;
        }
        let wrong = match found.cmp(&told) {
            std::cmp::Ordering::Equal => continue,
            std::cmp::Ordering::Less => Wrong::RowsMissing,
            std::cmp::Ordering::Greater => Wrong::RowsTwice,
        };
        bench.wrong(wrong, epoch, seq, || {
            format!("{} has {found} rows, should be {told}", table.name())
        });
    }
}

/// Rows of a gap may be there: an earlier copy of the batch had got in before it was given up.
/// But not twice. A gap that does not know what it lost says 0.
fn gap(bench: &mut Bench<'_>, epoch: Epoch, (seq, batch): (u64, &Batch)) {
    if batch.told.iter().all(|lost| *lost == 0) {
        return;
    }
    for (table, (found, lost)) in DATA_TABLES.iter().zip(batch.found.iter().zip(batch.told)) {
        if *found > lost {
            bench.wrong(Wrong::RowsTwice, epoch, seq, || {
                let table = table.name();
                format!("{table} has {found} rows of a gap, of a batch that had {lost}")
            });
        }
    }
}

fn absent(bench: &mut Bench<'_>, epoch: Epoch, (seq, batch): (u64, &Batch)) {
    if bench.rules.is_settled(batch.seen) {
        bench.wrong(Wrong::RowsWithoutLedger, epoch, seq, || {
            let tables = DATA_TABLES.iter().zip(batch.found);
            let named: Vec<String> = tables
                .filter(|(_, found)| *found > 0)
                .map(|(table, found)| format!("{found} rows in {}", table.name()))
                .collect();
            format!("{}, none in the ledger", named.join(", "))
        });
        return;
    }
    bench.report.in_progress.batches += 1;
    bench.report.in_progress.rows += batch.rows_found();
}
