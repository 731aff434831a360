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
    columns::{ColumnData, Texts, Values},
};

use super::super::{
    header::{Told, told},
    input::{Input, Rows},
    precision, time,
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
    inputs
        .iter()
        .flat_map(|input| rows_in(table, input))
        .collect()
}

fn rows_in(table: Table, input: &Input) -> Vec<Row> {
    let mut rows = vec![Row::new(); input.count()];
    for column in table.columns() {
        let values = values(column, input);
        assert_eq!(values.len(), rows.len());
        rows.iter_mut()
            .zip(values)
            .for_each(|(row, value)| row.push(value));
    }
    rows
}

fn values(column: &Column, input: &Input) -> Vec<Value> {
    let is_told = column.is_of_header || column.is_of_ledger;
    match (&input.rows, column.name) {
        (Rows::Gap(_), name) if name.starts_with("rows_") && !is_told => vec![Value::Long(0)],
        (Rows::Gap(_), name) => vec![value_told(name, input)],
        (Rows::Data(data), name) if is_told => vec![value_told(name, input); data.rows],
        (Rows::Data(data), _) => match data.columns.iter().find(|sent| sent.id == column.id) {
            None => vec![Value::Absent; data.rows],
            Some(sent) => all_rows(sent, values_sent(column, sent)),
        },
    }
}

fn value_told(name: &str, input: &Input) -> Value {
    match told(name, input) {
        Some(Told::Long(value)) => Value::Long(value),
        Some(Told::Text(text)) => Value::Text(text),
        Some(Told::Absent) | None => Value::Absent,
    }
}

fn all_rows(data: &ColumnData, values: Vec<Value>) -> Vec<Value> {
    let Some(present) = &data.present else {
        return values;
    };
    let mut values = values.into_iter();
    let value = |has: &bool| {
        if *has {
            values.next().unwrap()
        } else {
            Value::Absent
        }
    };
    present.iter().map(value).collect()
}

fn values_sent(column: &Column, data: &ColumnData) -> Vec<Value> {
    let text = |texts: &Texts, number: &u32| texts.get(*number).unwrap().to_owned();
    match &data.values {
        Values::Longs(values) if column.kind == Kind::TimeText => {
            let time = |unix_us: &i64| time::iso(Timestamp { unix_us: *unix_us });
            values.iter().map(time).map(Value::Text).collect()
        }
        Values::Longs(values) => values.iter().copied().map(Value::Long).collect(),
        Values::Doubles(values) if precision::is_rounded(column.name) => {
            let values = values.iter().copied().map(precision::rounded);
            values.map(Value::Double).collect()
        }
        Values::Doubles(values) => values.iter().copied().map(Value::Double).collect(),
        Values::Booleans(values) => values.iter().copied().map(Value::Boolean).collect(),
        Values::Texts(numbers, texts) => {
            let numbers = numbers.iter();
            numbers
                .map(|number| Value::Text(text(texts, number)))
                .collect()
        }
        Values::Lists(lens, numbers, texts) => {
            let mut numbers = numbers.iter();
            let mut list = |len: &u32| {
                let items = numbers.by_ref().take(*len as usize);
                Value::Texts(items.map(|number| text(texts, number)).collect())
            };
            lens.iter().map(&mut list).collect()
        }
    }
}
