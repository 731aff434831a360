//! Totals that are not what their parts make.

use super::*;

fn told(change: impl Fn(&mut Balances)) -> Case {
    let mut case = right();
    let Entry::Whole {
        rows: told,
        balance: Some(mut balance),
    } = whole()
    else {
        unreachable!("whole");
    };
    change(&mut balance);
    let entry = Entry::Whole {
        rows: told,
        balance: Some(balance),
    };
    case.ledger(&row(1, 4, entry));
    rows(&mut case, 1, 4);
    case
}

#[test]
fn a_total_that_is_more_than_its_parts_is_found() {
    for (i, figure) in ["cpu_ns", "net_tx_bytes", "net_tx_packets"]
        .iter()
        .enumerate()
    {
        let case = told(|balance| balance.total[i] += 7);
        let said = only(&case, &late(), Wrong::Unbalanced);
        assert!(
            said.contains(&format!("seq 4: {figure}: the total is 7 more")),
            "{said}"
        );
    }
}

#[test]
fn what_went_in_flight_counts() {
    assert_proved(
        &told(|balance| {
            balance.total[4] += 9;
            balance.in_flight[4] += 9;
        }),
        &late(),
    );
    only(
        &told(|balance| balance.in_flight[4] += 9),
        &late(),
        Wrong::Unbalanced,
    );
}

#[test]
fn rows_that_do_not_add_up_are_found() {
    let case = told(|balance| {
        balance.rows[2] += 1;
        balance.total[2] += 1;
    });
    let said = only(&case, &late(), Wrong::SumsDiffer);
    assert!(
        said.contains("net_tx_packets: the ledger's sum is 1 more"),
        "{said}"
    );
}

/// CPU time is a fraction in the rows: one nanosecond for each of the three.
#[test]
fn cpu_may_be_off_by_rounding_only() {
    let by = |ns| {
        told(move |balance| {
            balance.rows[0] += ns;
            balance.total[0] += ns;
        })
    };
    assert_proved(&by(3), &late());
    assert_proved(&by(-3), &late());
    only(&by(4), &late(), Wrong::SumsDiffer);
}

/// That rows are missing is said once.
#[test]
fn sums_of_missing_rows_are_not_told_again() {
    let mut case = right();
    case.ledger(&row(1, 4, whole()));
    more(&mut case, (1, 4), (0, 2), [20; 5]);
    more(&mut case, (1, 4), (1, 2), [0; 5]);
    more(&mut case, (1, 4), (2, 1), [0; 5]);
    only(&case, &late(), Wrong::RowsMissing);
}

#[test]
fn a_ledger_without_balances_has_none_to_judge() {
    let mut case = Case::new(Share::ALL);
    let entry = Entry::Whole {
        rows: ROWS,
        balance: None,
    };
    case.ledger(&row(1, 1, entry));
    rows(&mut case, 1, 1);
    assert_eq!(assert_proved(&case, &late()).balanced_windows, 0);
}
