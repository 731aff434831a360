//! Batches with anything in them that a checked batch may hold.

use std::sync::Arc;

use protocol::{
    Column, Counts, Epoch, Gap, GapReason, Header, Kind, Previous, Table, Timestamp,
    columns::{ColumnData, TableData, Texts, Values},
};
use rand::{Rng as _, rngs::StdRng};

use super::super::input::{Input, Rows};

/// The start of 2026.
pub const START: i64 = 1_767_225_600_000_000;

const STRANGE: [&str; 9] = [
    "",
    "a",
    "a\0",
    "a\0b",
    "\u{10ffff}",
    "ä/ö=ü \"quoted\" \\ 'x' \n\t",
    "cluster=x/date=y",
    "12345678",
    "123456789",
];

/// A header of a node's batch.
pub fn header(rng: &mut StdRng) -> Header {
    let end = START + rng.random_range(0..4) * 30_000_000;
    Header {
        cluster: "production".to_owned(),
        node: format!("node-{}", rng.random_range(0..4)),
        boot_id: format!("boot-{}", rng.random_range(0..3)),
        epoch: Epoch(rng.random()),
        seq: rng.random_range(1..1 << 40),
        previous: rng.random_bool(0.2).then(|| Previous {
            epoch: Epoch(rng.random()),
            last: rng.random_range(1..99),
        }),
        window_start: Timestamp {
            unix_us: end - 30_000_000,
        },
        window_end: Timestamp { unix_us: end },
    }
}

/// A batch with so many rows in a table. `strangeness` is how many different texts there are
/// besides the strange ones: many of them make a column that is no dictionary.
pub fn input(rng: &mut StdRng, table: Table, rows: usize, strangeness: usize) -> Input {
    let texts = STRANGE.iter().map(|text| (*text).to_owned());
    let others = (0..strangeness).map(|_| format!("shared-prefix-{:x}", rng.random::<u32>()));
    let texts: Arc<Texts> = Arc::new(texts.chain(others).collect());
    let mut columns = Vec::new();
    for column in table.columns() {
        let is_wire = !column.is_of_header && !column.is_of_ledger;
        if is_wire && !(column.is_nullable && rng.random_bool(0.2)) {
            columns.push(column_of(rng, column, rows, &texts));
        }
    }
    Input {
        header: header(rng),
        rows: Rows::Data(TableData {
            table,
            rows,
            columns,
        }),
    }
}

/// A gap.
pub fn gap(rng: &mut StdRng) -> Input {
    let mut rows_lost = Counts::default();
    for table in Table::ALL {
        rows_lost[table] = rng.random_range(0..500);
    }
    Input {
        header: header(rng),
        rows: Rows::Gap(Gap {
            reason: GapReason::SpoolFull,
            message: "the spool had 64 MiB, \"all\" of them full".to_owned(),
            rows_lost,
        }),
    }
}

fn column_of(rng: &mut StdRng, column: &Column, rows: usize, texts: &Arc<Texts>) -> ColumnData {
    let chance = [0.0, 0.5, 0.99, 1.0][rng.random_range(0..4)];
    let present: Vec<bool> = (0..rows).map(|_| rng.random_bool(chance)).collect();
    let present = (column.is_nullable && present.contains(&false)).then_some(present);
    let count = present
        .as_ref()
        .map_or(rows, |present| present.iter().filter(|has| **has).count());
    ColumnData {
        id: column.id,
        present,
        values: values(rng, column.kind, count, texts),
    }
}

fn values(rng: &mut StdRng, kind: Kind, count: usize, texts: &Arc<Texts>) -> Values {
    let rows = 0..count;
    let most = texts.len() as u32;
    match kind {
        Kind::Long => Values::Longs(rows.map(|_| long(rng)).collect()),
        Kind::Int => Values::Longs(rows.map(|_| rng.random::<i32>().into()).collect()),
        Kind::Time | Kind::TimeText => {
            let time = |_| START + rng.random_range(0..3) * 500_001;
            Values::Longs(rows.map(time).collect())
        }
        Kind::Double => {
            let some = [0.0, -0.0, 1e-300, f64::MAX, 0.1];
            Values::Doubles(
                rows.map(|_| some[rng.random_range(0..some.len())])
                    .collect(),
            )
        }
        Kind::Boolean => Values::Booleans(rows.map(|_| rng.random()).collect()),
        Kind::Text => {
            let numbers = rows.map(|_| rng.random_range(0..most)).collect();
            Values::Texts(numbers, texts.clone())
        }
        Kind::Texts => {
            let longest = [1, 3, 40][rng.random_range(0..3)];
            let lens: Vec<u32> = rows.map(|_| rng.random_range(0..longest)).collect();
            let items = lens.iter().sum();
            let numbers = (0..items).map(|_| rng.random_range(0..most)).collect();
            Values::Lists(lens, numbers, texts.clone())
        }
    }
}

fn long(rng: &mut StdRng) -> i64 {
    match rng.random_range(0..8) {
        0 => i64::MAX,
        1 => i64::MIN,
        2..5 => rng.random_range(-5..5),
        _ => rng.random(),
    }
}
