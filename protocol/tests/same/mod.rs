//! Compares columns that were read with the rows that were written.

use protocol::{
    Kind, Row, Table, Timestamp,
    columns::{ColumnData, TableData, Values},
};
use serde_json::{Map, Value, json};

/// The values of a column as the rows' JSON has them, row by row.
fn cells(data: &TableData, column: &ColumnData) -> Vec<Value> {
    let definition = &data.table.columns()[column.id as usize - 1];
    let is_time = matches!(definition.kind, Kind::Time | Kind::TimeText);
    let (mut at, mut items) = (0..column.values.len(), 0);
    let mut cell = |is_there: bool| {
        let at = if is_there {
            at.next().unwrap()
        } else {
            return Value::Null;
        };
        match &column.values {
            Values::Longs(longs) if is_time => json!(Timestamp { unix_us: longs[at] }),
            Values::Longs(longs) => json!(longs[at]),
            Values::Doubles(doubles) => json!(doubles[at]),
            Values::Booleans(booleans) => json!(booleans[at]),
            Values::Texts(numbers, texts) => json!(texts.get(numbers[at])),
            Values::Lists(lengths, numbers, texts) => {
                let own = &numbers[items..][..lengths[at] as usize];
                items += own.len();
                json!(own.iter().map(|item| texts.get(*item)).collect::<Vec<_>>())
            }
        }
    };
    let cells = (0..data.rows).map(|row| {
        let present = column.present.as_deref();
        cell(present.is_none_or(|present| present[row]))
    });
    let cells = cells.collect();
    assert_eq!(at.len(), 0, "{} has values of no row", definition.name);
    cells
}

/// Doubles to the last bit: there are two zeros.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) if left.is_f64() && right.is_f64() => {
            left.as_f64().map(f64::to_bits) == right.as_f64().map(f64::to_bits)
        }
        _ => left == right,
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
        for column in table.columns() {
            if column.is_of_header || column.is_of_ledger {
                continue;
            }
            let sent = data.columns.iter().find(|sent| sent.id == column.id);
            let cells = sent.map_or(vec![Value::Null; data.rows], |sent| cells(data, sent));
            for (at, (row, cell)) in of(table).zip(cells).enumerate() {
                let (table, column) = (table.name(), column.name);
                let wanted = &row[column];
                assert!(
                    is_same(&cell, wanted),
                    "{table}.{column}[{at}]: {cell}, not {wanted}"
                );
            }
        }
    }
}
