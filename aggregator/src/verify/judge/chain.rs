//! Each epoch of a node follows the one that its seq 1 names, from where that one ended.

use std::collections::BTreeMap;

use protocol::{Epoch, GapReason, Timestamp};

use super::{Bench, Wrong};
use crate::verify::case::{Standing, Start};

type Starts = BTreeMap<Epoch, Start>;

pub(super) fn judge(bench: &mut Bench<'_>, starts: &Starts) {
    let mut followed: BTreeMap<Epoch, Epoch> = BTreeMap::new();
    for (epoch, start) in starts {
        // Without seq 1 there is a hole already, and nobody knows what it would have named.
        let Some(first) = start.batches.get(&1).filter(|first| first.is_in_ledger()) else {
            continue;
        };
        let Some(previous) = start.previous else {
            // What is pushed has no spool: its epochs follow nothing.
            if !start.is_pushed() {
                unnamed(bench, starts, (*epoch, start));
            }
            continue;
        };
        length(bench, starts, (*epoch, start), first.seen);
        if let Some(other) = followed.insert(previous.epoch, *epoch) {
            bench.wrong(Wrong::SpoolWentBack, *epoch, 1, || {
                format!("follows epoch {}, as epoch {other} does", previous.epoch)
            });
        }
    }
}

/// What the epoch before has, beside what its successor says that it drew.
fn length(
    bench: &mut Bench<'_>,
    starts: &Starts,
    (epoch, start): (Epoch, &Start),
    seen: Timestamp,
) {
    let Some(previous) = start.previous else {
        return;
    };
    let last = starts.get(&previous.epoch).map_or(0, Start::last);
    let detail = || {
        format!(
            "the epoch before, {}, ended with seq {}; the ledger has it up to {last}",
            previous.epoch, previous.last
        )
    };
    if last > previous.last {
        bench.wrong(Wrong::SpoolWentBack, epoch, 1, detail);
    } else if last < previous.last && bench.rules.is_settled(seen) {
        bench.wrong(Wrong::SpoolShort, epoch, 1, detail);
    } else if last < previous.last {
        bench.report.in_progress.epochs += 1;
    }
}

/// An epoch that follows nothing, of a node that is known.
fn unnamed(bench: &mut Bench<'_>, starts: &Starts, (epoch, start): (Epoch, &Start)) {
    let began = began(start);
    let older = starts.iter().filter(|(other, known)| {
        **other != epoch && !known.is_pushed() && self::began(known) < began
    });
    let (mut is_known, mut same_boot) = (false, None);
    for (other, known) in older {
        is_known = true;
        if known.boot_id == start.boot_id {
            same_boot = Some(*other);
        }
    }
    let is_told = start
        .ledger()
        .any(|(_, batch)| batch.standing == Standing::Gap(Some(GapReason::SpoolLost)));
    match same_boot {
        Some(other) if !is_told => bench.wrong(Wrong::SpoolUntold, epoch, 1, || {
            format!("names no epoch before it, but the ledger has {other} of the same boot")
        }),
        None if is_known && !is_told => bench.report.new_boots += 1,
        _ => {}
    }
}

/// When its first window ended that the ledger has; the last for an epoch that it does not have.
fn began(start: &Start) -> Timestamp {
    let first = start.ledger().next().map(|(_, batch)| batch.seen);
    first.unwrap_or(Timestamp { unix_us: i64::MAX })
}
