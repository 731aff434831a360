//! Nothing gets lost between the kernel's totals and the rows, window by window.

use protocol::Epoch;

use super::{Bench, Wrong};
use crate::verify::case::{Batch, FIGURES, Standing, Start};

/// Index of `pod_usage`, whose rows make the sums.
const POD_USAGE: usize = 0;
/// Index of the only figure that is a fraction in the rows: each of them may be off by one.
const CPU: usize = 0;

pub(super) fn judge(bench: &mut Bench<'_>, epoch: Epoch, start: &Start) {
    let mut before: Option<(u64, &Batch)> = None;
    for (seq, batch) in start.ledger() {
        if batch.standing == Standing::Whole && batch.has_balance {
            sums(bench, epoch, (seq, batch));
            // What was in flight before the first window, or before a gap's end, nobody told.
            // What is pushed tells no totals that could be balanced.
            if let Some((_, earlier)) = before.filter(|(last, _)| last + 1 == seq)
                && !start.is_pushed()
            {
                window(bench, epoch, (seq, batch), earlier);
            }
            before = Some((seq, batch));
        }
    }
}

/// Total = rows + unattributed + (in flight - in flight of the window before).
fn window(bench: &mut Bench<'_>, epoch: Epoch, (seq, batch): (u64, &Batch), earlier: &Batch) {
    bench.report.balanced_windows += 1;
    for (i, figure) in FIGURES.iter().enumerate() {
        let off = batch.residual[i].wrapping_add(earlier.in_flight[i]);
        if off != 0 {
            bench.wrong(Wrong::Unbalanced, epoch, seq, || {
                format!("{figure}: the total is {off} more than its parts")
            });
        }
    }
}

/// The rows' sums are what the ledger says of them. Where rows are missing or twice, that is told.
fn sums(bench: &mut Bench<'_>, epoch: Epoch, (seq, batch): (u64, &Batch)) {
    if batch.found[POD_USAGE] != batch.told[POD_USAGE] {
        return;
    }
    for (i, figure) in FIGURES.iter().enumerate() {
        let left = batch.sums_left[i];
        let allowed = match i {
            CPU => u64::from(batch.found[POD_USAGE]),
            _ => 0,
        };
        if left.unsigned_abs() > allowed {
            bench.wrong(Wrong::SumsDiffer, epoch, seq, || {
                format!("{figure}: the ledger's sum is {left} more than that of the rows")
            });
        }
    }
}
