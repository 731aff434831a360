//! Rows as lists of plain values: what goes in and what comes out in the same form.

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray as _,
    types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use protocol::{
    Column, Kind, Table, Timestamp,
    columns::{ColumnData, Values},
};

use super::super::{
    header::{Told, told},
    input::{Input, Rows},
    time,
};

/// A value of any column.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Value {
    Absent,
    Long(i64),
    Double(f64),
    Boolean(bool),
    Text(String),
    Texts(Vec<String>),
}

pub type Row = Vec<Value>;

/// The file's rows, in its order.
pub fn read(bytes: &Bytes) -> Vec<Row> {
    // As a reader that knows nothing of Arrow's own schema.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options).unwrap();
    let batches = builder.with_batch_size(1_000).build().unwrap();
    batches.flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let row = |row| {
        batch
            .columns()
            .iter()
            .map(|column| at(column, row))
            .collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn at(array: &dyn Array, row: usize) -> Value {
    use arrow_schema::DataType::{Boolean, Float64, Int32, Int64, List, Timestamp, Utf8};
    if array.is_null(row) {
        return Value::Absent;
    }
    match array.data_type() {
        Int64 => Value::Long(array.as_primitive::<Int64Type>().value(row)),
        Int32 => Value::Long(array.as_primitive::<Int32Type>().value(row).into()),
        Timestamp(..) => Value::Long(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        Boolean => Value::Boolean(array.as_boolean().value(row)),
        Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items = items.as_string::<i32>().iter();
            Value::Texts(items.map(|item| item.unwrap().to_owned()).collect())
        }
        other => panic!("no column is of {other}"),
    }
}

/// What should be in the file of these, in the order of the batches.
pub fn expected(table: Table, inputs: &[Input]) -> Vec<Row> {
    let rows = |input| {
        let row = move |row| {
            table
                .columns()
                .iter()
                .map(|column| value(column, input, row))
                .collect()
        };
        (0..Input::len(input)).map(row)
    };
    inputs.iter().flat_map(rows).collect()
}

fn value(column: &Column, input: &Input, row: usize) -> Value {
    if let (
        Rows::Gap(_),
        "rows_pod_usage" | "rows_pod_network" | "rows_events" | "rows_node_usage",
    ) = (&input.rows, column.name)
    {
        return Value::Long(0);
    }
    if column.is_of_header || column.is_of_ledger || matches!(input.rows, Rows::Gap(_)) {
        return match told(column.name, input) {
            Some(Told::Long(value)) => Value::Long(value),
            Some(Told::Text(text)) => Value::Text(text),
            Some(Told::Absent) | None => Value::Absent,
        };
    }
    match input.column(column.id) {
        None => Value::Absent,
        Some(data) => sent(column, data, row),
    }
}

fn sent(column: &Column, data: &ColumnData, row: usize) -> Value {
    let place = match &data.present {
        None => row,
        Some(present) if present[row] => present[..row].iter().filter(|has| **has).count(),
        Some(_) => return Value::Absent,
    };
    match &data.values {
        Values::Longs(values) if column.kind == Kind::TimeText => {
            let unix_us = values[place];
            Value::Text(time::iso(Timestamp { unix_us }))
        }
        Values::Longs(values) => Value::Long(values[place]),
        Values::Doubles(values) => Value::Double(values[place]),
        Values::Booleans(values) => Value::Boolean(values[place]),
        Values::Texts(numbers, texts) => Value::Text(texts.get(numbers[place]).unwrap().to_owned()),
        Values::Lists(lens, numbers, texts) => {
            let start = lens[..place].iter().sum::<u32>() as usize;
            let numbers = &numbers[start..][..lens[place] as usize];
            let texts = numbers
                .iter()
                .map(|number| texts.get(*number).unwrap().to_owned());
            Value::Texts(texts.collect())
        }
    }
}
