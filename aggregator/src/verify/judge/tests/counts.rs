//! Duplicates, holes, gaps and rows without a ledger.

use super::*;

#[test]
fn a_batch_twice_in_the_ledger_is_found() {
    let mut case = right();
    case.ledger(&row(1, 2, whole()));
    let said = only(&case, &late(), Wrong::LedgerTwice);
    assert!(said.contains("seq 2: 2 rows in the ledger"), "{said}");
}

#[test]
fn a_hole_in_the_ledger_is_found() {
    let mut case = right();
    batch(&mut case, 1, 6);
    let said = only(&case, &late(), Wrong::LedgerHole);
    assert!(said.contains("seqs 4 to 5 of 1 to 6 are missing"), "{said}");
}

#[test]
fn an_epoch_that_begins_late_is_found() {
    let mut case = Case::new(Share::ALL);
    batch(&mut case, 1, 2);
    let said = only(&case, &late(), Wrong::LedgerHole);
    assert!(said.contains("seqs 1 to 1"), "{said}");
}

#[test]
fn a_missing_row_is_found_in_each_table() {
    for (table, name) in ["pod_usage", "pod_network", "node_usage"]
        .iter()
        .enumerate()
    {
        let mut case = right();
        case.ledger(&row(1, 4, whole()));
        for (other, rows) in ROWS.into_iter().enumerate() {
            let rows = if other == table { rows - 1 } else { rows };
            let sums = if other == 0 { [30; 5] } else { [0; 5] };
            more(&mut case, (1, 4), (other, rows), sums);
        }
        let said = only(&case, &late(), Wrong::RowsMissing);
        let expected = format!(
            "{name} has {} rows, should be {}",
            ROWS[table] - 1,
            ROWS[table]
        );
        assert!(said.contains(&expected), "{said}");
    }
}

/// What the ledger has is in the tables: no age excuses it.
#[test]
fn missing_rows_of_a_young_batch_are_found() {
    let mut case = right();
    case.ledger(&row(1, 4, whole()));
    let report = judge(&case, &at(end(1, 4).unix_us));
    assert_eq!(report.findings.0[&Wrong::RowsMissing].count, 3);
}

#[test]
fn a_row_twice_is_found() {
    let mut case = right();
    more(&mut case, (1, 3), (1, 1), [0; 5]);
    let said = only(&case, &late(), Wrong::RowsTwice);
    assert!(
        said.contains("seq 3: pod_network has 3 rows, should be 2"),
        "{said}"
    );
    let mut case = right();
    more(&mut case, (1, 3), (3, 1), [0; 5]);
    only(&case, &late(), Wrong::RowsTwice);
}

#[test]
fn a_gap_explains_that_rows_are_absent() {
    let mut case = right();
    case.ledger(&row(1, 4, gap(GapReason::SpoolFull)));
    batch(&mut case, 1, 5);
    let report = assert_proved(&case, &late());
    let gaps = report.gaps["spool_full"];
    assert_eq!((gaps.batches, gaps.rows_lost, gaps.rows_present), (1, 6, 0));
    assert_eq!(
        report.balanced_windows, 2,
        "the window after a gap can't be judged"
    );
}

#[test]
fn rows_of_a_gap_may_be_there_once_but_not_twice() {
    let mut case = right();
    case.ledger(&row(1, 4, gap(GapReason::SpoolAge)));
    more(&mut case, (1, 4), (0, 3), [30; 5]);
    let report = assert_proved(&case, &late());
    assert_eq!(report.gaps["spool_age"].rows_present, 3);
    more(&mut case, (1, 4), (0, 3), [30; 5]);
    let said = only(&case, &late(), Wrong::RowsTwice);
    assert!(said.contains("of a batch that had 3"), "{said}");
}

/// A gap that does not know what was lost says nothing about rows that are there.
#[test]
fn a_gap_that_knows_nothing_is_no_measure() {
    let mut case = right();
    let entry = Entry::Gap {
        reason: None,
        lost: [0; 4],
    };
    case.ledger(&row(1, 4, entry));
    more(&mut case, (1, 4), (0, 3), [30; 5]);
    assert_eq!(assert_proved(&case, &late()).gaps["unknown"].batches, 1);
}

#[test]
fn rows_without_a_ledger_are_judged_by_their_age() {
    let mut case = right();
    rows(&mut case, 1, 4);
    let soon = end(1, 4).unix_us + 15 * 60 * 1_000_000;
    let report = assert_proved(&case, &at(soon));
    assert_eq!(
        (report.in_progress.batches, report.in_progress.rows),
        (1, 6)
    );
    let said = only(&case, &at(soon + 1), Wrong::RowsWithoutLedger);
    assert!(
        said.contains("seq 4: 3 rows in pod_usage, 2 rows in pod_network"),
        "{said}"
    );
}

#[test]
fn no_more_than_twenty_are_shown_of_a_kind() {
    let mut case = right();
    for seq in 4..=30 {
        rows(&mut case, 1, seq);
    }
    let report = judge(&case, &late());
    let kind = &report.findings.0[&Wrong::RowsWithoutLedger];
    assert_eq!((kind.count, kind.shown.len()), (27, 20));
    let told = report.to_string();
    assert!(
        told.contains("and 7 more") && told.ends_with("refuted"),
        "{told}"
    );
}
