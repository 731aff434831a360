//! Every value of every row comes back.

use protocol::Table;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    super::{Input, Inputs, build},
    random,
    value::{Row, expected, read},
};

fn sorted(rows: &[Row]) -> Vec<String> {
    let mut texts: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    texts.sort();
    texts
}

fn check(table: Table, batches: Vec<Input>) {
    let expected = expected(table, &batches);
    let mut inputs = Inputs::new(table, 0);
    batches
        .into_iter()
        .for_each(|batch| inputs.push(batch).unwrap());
    assert_eq!(inputs.rows, expected.len());
    let (bytes, _) = build(inputs).unwrap();
    let found = read(&bytes);
    assert_eq!(found.len(), expected.len(), "one in, one out");
    let (found, expected) = (sorted(&found), sorted(&expected));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "in {}", table.name());
    }
}

#[test]
fn random_rows_of_every_table_come_back_whole() {
    for seed in 0..8 {
        let mut rng = StdRng::seed_from_u64(seed);
        for table in Table::ALL {
            let batches = (0..rng.random_range(1..8)).map(|_| {
                let rows = rng.random_range(1..60);
                random::input(&mut rng, table, rows, 3)
            });
            let batches = batches.collect();
            check(table, batches);
        }
    }
}

#[test]
fn texts_that_come_once_only_come_back_whole() {
    let mut rng = StdRng::seed_from_u64(77);
    for table in [Table::PodUsage, Table::Events] {
        let batches = (0..4).map(|_| random::input(&mut rng, table, 200, 5_000));
        let batches = batches.collect();
        check(table, batches);
    }
}

#[test]
fn more_rows_than_a_page_has_come_back_whole() {
    let mut rng = StdRng::seed_from_u64(5);
    let batches = (0..3).map(|_| random::input(&mut rng, Table::PodNetwork, 8_000, 700));
    let batches = batches.collect();
    check(Table::PodNetwork, batches);
}

#[test]
fn gaps_are_rows_of_the_ledger_among_others() {
    let mut rng = StdRng::seed_from_u64(6);
    let batches: Vec<Input> = (0..40)
        .map(|_| match rng.random_bool(0.5) {
            true => random::gap(&mut rng),
            false => random::input(&mut rng, Table::Reconcile, 1, 3),
        })
        .collect();
    check(Table::Reconcile, batches);
    check(Table::Reconcile, vec![random::gap(&mut rng)]);
}
