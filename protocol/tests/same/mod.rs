//! Compares columns that were read with the rows that were written.

use protocol::{
    Kind, Row, Table, Timestamp,
    columns::{ColumnData, TableData, Values},
};
use serde_json::{Map, Value, json};

/// The value of a column in a row, as the row's JSON has it.
fn cell(data: &TableData, column: &ColumnData, row: usize) -> Value {
    let present = column.present.as_deref();
    if present.is_some_and(|present| !present[row]) {
        return Value::Null;
    }
    let at = present.map_or(row, |present| {
        present[..row].iter().filter(|is| **is).count()
    });
    let definition = &data.table.columns()[column.id as usize - 1];
    match &column.values {
        Values::Longs(longs) if matches!(definition.kind, Kind::Time | Kind::TimeText) => {
            json!(Timestamp { unix_us: longs[at] })
        }
        Values::Longs(longs) => json!(longs[at]),
        Values::Doubles(doubles) => json!(doubles[at]),
        Values::Booleans(booleans) => json!(booleans[at]),
        Values::Texts(numbers, texts) => json!(texts.get(numbers[at])),
        Values::Lists(lengths, numbers, texts) => {
            let start: u32 = lengths[..at].iter().sum();
            let items = &numbers[start as usize..][..lengths[at] as usize];
            json!(
                items
                    .iter()
                    .map(|item| texts.get(*item))
                    .collect::<Vec<_>>()
            )
        }
    }
}

/// A row as its JSON has it, balances in parts.
fn flat(row: &Row) -> Value {
    let Value::Object(fields) = serde_json::to_value(row).unwrap() else {
        unreachable!("a row is an object");
    };
    let mut flat = Map::new();
    for (name, value) in fields {
        match value {
            Value::Object(parts) => {
                for (part, value) in parts {
                    flat.insert(format!("{name}_{part}"), value);
                }
            }
            value => drop(flat.insert(name, value)),
        }
    }
    Value::Object(flat)
}

/// Every value of every column is the one that the row's JSON has under the column's name.
pub fn assert_same(tables: &[TableData], rows: &[Row]) {
    let rows: Vec<Value> = rows.iter().map(flat).collect();
    let of = |table: Table| rows.iter().filter(move |row| row["table"] == table.name());
    for table in Table::ALL {
        let data = tables.iter().find(|data| data.table == table);
        assert_eq!(
            data.map_or(0, |data| data.rows),
            of(table).count(),
            "{table:?}"
        );
        let Some(data) = data else { continue };
        for (at, row) in of(table).enumerate() {
            for column in table.columns() {
                if column.is_of_header || column.is_of_ledger {
                    continue;
                }
                let sent = data.columns.iter().find(|sent| sent.id == column.id);
                let value = sent.map_or(Value::Null, |sent| cell(data, sent, at));
                assert_eq!(
                    value,
                    row[column.name],
                    "{}.{}[{at}]",
                    table.name(),
                    column.name
                );
            }
        }
    }
}
