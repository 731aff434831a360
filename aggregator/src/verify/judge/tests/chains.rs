//! Epochs that follow each other, or should.

use super::*;

/// Two batches of an epoch that names the one before.
fn next(case: &mut Case, number: u8, previous: Option<Previous>) {
    case.ledger(&LedgerRow {
        previous,
        ..row(number, 1, whole())
    });
    rows(case, number, 1);
    batch(case, number, 2);
}

#[test]
fn epochs_that_follow_each_other_are_right() {
    let mut case = right();
    next(&mut case, 2, follows(1, 3));
    next(&mut case, 3, follows(2, 2));
    assert_eq!(assert_proved(&case, &late()).epochs, 3);
}

#[test]
fn an_epoch_that_ends_early_is_found_when_it_has_had_its_time() {
    let mut case = right();
    next(&mut case, 2, follows(1, 5));
    let said = only(&case, &late(), Wrong::SpoolShort);
    assert!(
        said.contains("ended with seq 5; the ledger has it up to 3"),
        "{said}"
    );
    let report = assert_proved(&case, &at(end(2, 2).unix_us));
    assert_eq!(report.in_progress.epochs, 1);
}

#[test]
fn an_epoch_that_never_came_is_found() {
    let mut case = right();
    next(&mut case, 3, follows(2, 4));
    let said = only(&case, &late(), Wrong::SpoolShort);
    assert!(said.contains("up to 0"), "{said}");
}

/// Rows elsewhere don't count: only the ledger says how far an epoch is.
#[test]
fn rows_without_a_ledger_do_not_lengthen_an_epoch() {
    let mut case = right();
    rows(&mut case, 1, 4);
    next(&mut case, 2, follows(1, 4));
    let report = judge(&case, &late());
    assert_eq!(report.findings.0[&Wrong::SpoolShort].count, 1);
}

#[test]
fn a_spool_that_went_back_is_found() {
    let mut case = right();
    next(&mut case, 2, follows(1, 2));
    let said = only(&case, &late(), Wrong::SpoolWentBack);
    assert!(
        said.contains("ended with seq 2; the ledger has it up to 3"),
        "{said}"
    );
}

#[test]
fn two_epochs_after_the_same_one_are_found() {
    let mut case = right();
    next(&mut case, 2, follows(1, 3));
    next(&mut case, 3, follows(1, 3));
    let said = only(&case, &late(), Wrong::SpoolWentBack);
    assert!(said.contains("follows epoch 0101"), "{said}");
}

#[test]
fn a_lost_spool_must_be_told() {
    let mut case = right();
    next(&mut case, 2, None);
    let said = only(&case, &late(), Wrong::SpoolUntold);
    assert!(said.contains("0202") && said.contains("0101"), "{said}");
}

#[test]
fn a_lost_spool_that_is_told_is_right() {
    let mut case = right();
    let told = Entry::Gap {
        reason: Some(GapReason::SpoolLost),
        lost: [0; 4],
    };
    case.ledger(&row(2, 1, told));
    batch(&mut case, 2, 2);
    let report = assert_proved(&case, &late());
    assert_eq!(
        (report.gaps["spool_lost"].batches, report.new_boots),
        (1, 0)
    );
}

/// Another gap does not tell that a spool was lost.
#[test]
fn a_gap_of_another_reason_does_not_tell_of_a_lost_spool() {
    let mut case = right();
    next(&mut case, 2, None);
    case.ledger(&row(2, 3, gap(GapReason::SpoolFull)));
    only(&case, &late(), Wrong::SpoolUntold);
}

#[test]
fn a_new_boot_with_an_empty_spool_is_noted() {
    let mut case = right();
    case.ledger(&LedgerRow {
        boot_id: "another",
        ..row(2, 1, whole())
    });
    rows(&mut case, 2, 1);
    let report = assert_proved(&case, &late());
    assert_eq!(report.new_boots, 1);
}

/// A batch of what was pushed: no figures that hooks counted.
fn pushed(case: &mut Case, number: u8, seq: u64) {
    let entry = Entry::Whole {
        rows: [3, 0, 0, 0],
        balance: Some(Balances::default()),
    };
    case.ledger(&LedgerRow {
        boot_id: "push",
        ..row(number, seq, entry)
    });
    more(case, (number, seq), (0, 3), [0; 5]);
}

#[test]
fn epochs_of_what_is_pushed_follow_nothing() {
    let mut case = right();
    for number in [2, 3] {
        pushed(&mut case, number, 1);
        pushed(&mut case, number, 2);
    }
    let report = assert_proved(&case, &late());
    assert_eq!((report.pushes, report.batches), (4, 7));
    assert_eq!((report.balanced_windows, report.new_boots), (2, 0));
}

/// Neither do they stand for an agent's epochs, nor hide that those follow nothing.
#[test]
fn agents_are_judged_beside_what_is_pushed() {
    let mut case = Case::new(Share::ALL);
    pushed(&mut case, 1, 1);
    next(&mut case, 2, None);
    let report = assert_proved(&case, &late());
    assert_eq!(report.new_boots, 0, "its node was not known");
    next(&mut case, 3, None);
    only(&case, &late(), Wrong::SpoolUntold);
}

#[test]
fn what_is_pushed_is_there_once_and_without_a_hole() {
    let mut case = Case::new(Share::ALL);
    pushed(&mut case, 1, 1);
    more(&mut case, (1, 1), (0, 1), [0; 5]);
    only(&case, &late(), Wrong::RowsTwice);
    let mut case = Case::new(Share::ALL);
    pushed(&mut case, 1, 2);
    only(&case, &late(), Wrong::LedgerHole);
    let mut case = Case::new(Share::ALL);
    pushed(&mut case, 1, 1);
    more(&mut case, (1, 2), (0, 0), [7, 0, 0, 0, 0]);
    case.ledger(&LedgerRow {
        boot_id: "push",
        ..row(
            1,
            2,
            Entry::Whole {
                rows: [0; 4],
                balance: Some(Balances::default()),
            },
        )
    });
    only(&case, &late(), Wrong::SumsDiffer);
}

#[test]
fn other_nodes_have_spools_of_their_own() {
    let mut case = right();
    case.ledger(&LedgerRow {
        node: "node-2",
        ..row(2, 1, gap(GapReason::SpoolFull))
    });
    assert_eq!(assert_proved(&case, &late()).nodes, 2);
}
