//! Each kind of wrong is planted in tables that are right otherwise, and found.

mod chains;
mod counts;
mod sums;

use std::time::Duration;

use protocol::{Epoch, GapReason, Previous, Timestamp};

use super::{Report, Rules, judge};
use crate::verify::case::{Balances, Case, Counted, Entry, LedgerRow, Share};
use crate::verify::finding::Wrong;

const NODE: &str = "node-1";
/// Start of the first window, and length of each.
const BEGAN: i64 = 1_700_000_000_000_000;
const WINDOW: i64 = 30_000_000;
/// Rows of each whole batch.
const ROWS: [u64; 4] = [3, 2, 1, 0];

/// Long after everything.
fn late() -> Rules {
    at(BEGAN + 1_000 * WINDOW)
}

fn at(now: i64) -> Rules {
    Rules {
        now: Timestamp { unix_us: now },
        settle: Duration::from_secs(15 * 60),
    }
}

fn epoch(number: u8) -> Epoch {
    Epoch([number; 16])
}

/// End of a window; those of a later epoch are later.
fn end(epoch: u8, seq: u64) -> Timestamp {
    let windows = i64::from(epoch) * 100 + i64::try_from(seq).unwrap();
    Timestamp {
        unix_us: BEGAN + windows * WINDOW,
    }
}

fn row(number: u8, seq: u64, entry: Entry) -> LedgerRow<'static> {
    LedgerRow {
        node: NODE,
        epoch: epoch(number),
        seq,
        boot_id: "boot",
        window_end: end(number, seq),
        previous: None,
        entry,
    }
}

/// 10 of each figure in each of the rows, and 5 that stay in flight until the next window.
fn whole() -> Entry {
    Entry::Whole {
        rows: ROWS,
        balance: Some(Balances {
            total: [32; 5],
            rows: [30; 5],
            unattributed: [2; 5],
            in_flight: [5; 5],
        }),
    }
}

fn gap(reason: GapReason) -> Entry {
    Entry::Gap {
        reason: Some(reason),
        lost: ROWS,
    }
}

fn follows(number: u8, last: u64) -> Option<Previous> {
    Some(Previous {
        epoch: epoch(number),
        last,
    })
}

/// All rows of a batch but the ledger's.
fn rows(case: &mut Case, number: u8, seq: u64) {
    for (table, rows) in ROWS.into_iter().enumerate() {
        let sums = if table == 0 { [30; 5] } else { [0; 5] };
        more(case, (number, seq), (table, rows), sums);
    }
}

fn more(case: &mut Case, (number, seq): (u8, u64), (table, rows): (usize, u64), sums: [i64; 5]) {
    case.rows(&Counted {
        node: NODE,
        epoch: epoch(number),
        seq,
        table,
        rows: u32::try_from(rows).unwrap(),
        seen: end(number, seq),
        sums,
    });
}

fn batch(case: &mut Case, number: u8, seq: u64) {
    case.ledger(&row(number, seq, whole()));
    rows(case, number, seq);
}

/// Epoch 1 with three batches that are right.
fn right() -> Case {
    let mut case = Case::new(Share::ALL);
    (1..=3).for_each(|seq| batch(&mut case, 1, seq));
    case
}

/// What is wrong: kind and how often, and the first one in words.
fn wrongs(report: &Report) -> Vec<(Wrong, u64, String)> {
    let all = report.findings.0.iter();
    all.map(|(wrong, kind)| (*wrong, kind.count, kind.shown[0].to_string()))
        .collect()
}

/// There is this kind of wrong and no other; returns its words.
fn only(case: &Case, rules: &Rules, wrong: Wrong) -> String {
    let found = wrongs(&judge(case, rules));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1), (wrong, 1), "{found:?}");
    found[0].2.clone()
}

fn assert_proved(case: &Case, rules: &Rules) -> Report {
    let report = judge(case, rules);
    assert!(report.is_proved(), "{:?}", wrongs(&report));
    report
}

#[test]
fn right_tables_are_proved_and_counted() {
    let report = assert_proved(&right(), &late());
    assert_eq!((report.nodes, report.epochs, report.batches), (1, 1, 3));
    assert_eq!(report.rows["pod_usage"], 9);
    assert_eq!(report.rows["events"], 0);
    assert_eq!(report.rows["reconcile"], 3);
    assert_eq!(report.balanced_windows, 2);
}

#[test]
fn the_order_in_which_rows_are_read_does_not_matter() {
    let mut case = Case::new(Share::ALL);
    for seq in [3, 1, 2] {
        rows(&mut case, 1, seq);
    }
    for seq in [2, 3, 1] {
        case.ledger(&row(1, seq, whole()));
    }
    assert_eq!(judge(&case, &late()), judge(&right(), &late()));
}

#[test]
fn shares_add_up_to_all_nodes() {
    let fill = |share| {
        let mut case = Case::new(share);
        for node in 0..40 {
            let node = format!("node-{node}");
            let seq = |seq| LedgerRow {
                node: &node,
                ..row(1, seq, whole())
            };
            case.ledger(&seq(1));
            case.ledger(&seq(3));
        }
        case.outside(7);
        judge(&case, &late())
    };
    let mut sum = Report::default();
    for number in 0..3 {
        let part = fill(Share { number, of: 3 });
        assert!((1..40).contains(&part.nodes), "{}", part.nodes);
        sum.merge(part);
    }
    let all = fill(Share::ALL);
    assert_eq!((sum.nodes, sum.batches, sum.rows_outside), (40, 80, 7));
    assert_eq!(all.rows, sum.rows);
    let count = |report: &Report| report.findings.0[&Wrong::LedgerHole].count;
    assert_eq!((count(&all), count(&sum)), (40, 40));
    assert_eq!(sum.findings.0[&Wrong::LedgerHole].shown.len(), 20);
}
