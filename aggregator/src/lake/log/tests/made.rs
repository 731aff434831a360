//! Checkpoints as others write them.

use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    StructArray,
    builder::{ListBuilder, MapBuilder, StringBuilder},
    new_null_array,
};
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;

use crate::lake::log::action::{Add, Metadata};

/// One row of protocol, one of metadata, then the txns, then the adds.
pub(crate) fn checkpoint(metadata: &Metadata, txns: &[(&str, i64)], adds: &[Add]) -> Bytes {
    let columns = [
        ("protocol", protocol()),
        ("metaData", metadata_column(metadata)),
        ("txn", txn_column(txns)),
        ("add", add_column(adds)),
    ];
    let fields = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None).unwrap();
    for (own, (_, array)) in columns.iter().enumerate() {
        let others = columns.iter().enumerate().map(|(index, (_, other))| {
            if index == own {
                array.clone()
            } else {
                new_null_array(other.data_type(), array.len())
            }
        });
        let batch = RecordBatch::try_new(schema.clone(), others.collect()).unwrap();
        writer.write(&batch).unwrap();
    }
    writer.into_inner().unwrap().into()
}

fn column(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let (names, arrays): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let field =
        |(name, array): (&&str, &ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let fields: Vec<Field> = names.iter().zip(&arrays).map(field).collect();
    Arc::new(StructArray::new(fields.into(), arrays, None))
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<StringArray>())
}

fn longs(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<Int64Array>())
}

fn protocol() -> ArrayRef {
    let int = |value: i32| Arc::new(Int32Array::from(vec![value]));
    column(vec![
        ("minReaderVersion", int(1)),
        ("minWriterVersion", int(2)),
    ])
}

fn metadata_column(metadata: &Metadata) -> ArrayRef {
    let mut columns = ListBuilder::new(StringBuilder::new());
    for name in &metadata.partition_columns {
        columns.values().append_value(name);
    }
    columns.append(true);
    let mut configuration = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (key, value) in &metadata.configuration {
        configuration.keys().append_value(key);
        configuration.values().append_value(value);
    }
    configuration.append(true).unwrap();
    column(vec![
        ("id", texts([metadata.id.as_str()])),
        ("schemaString", texts([metadata.schema_string.as_str()])),
        ("partitionColumns", Arc::new(columns.finish())),
        ("configuration", Arc::new(configuration.finish())),
    ])
}

fn txn_column(txns: &[(&str, i64)]) -> ArrayRef {
    column(vec![
        ("appId", texts(txns.iter().map(|txn| txn.0))),
        ("version", longs(txns.iter().map(|txn| txn.1))),
    ])
}

fn add_column(adds: &[Add]) -> ArrayRef {
    let mut values = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for add in adds {
        for (key, value) in &add.partition_values {
            values.keys().append_value(key);
            values.values().append_option(value.as_deref());
        }
        values.append(true).unwrap();
    }
    let changes: BooleanArray = adds.iter().map(|add| Some(add.data_change)).collect();
    let stats: StringArray = adds.iter().map(|add| add.stats.as_deref()).collect();
    column(vec![
        ("path", texts(adds.iter().map(|add| add.path.as_str()))),
        ("partitionValues", Arc::new(values.finish())),
        ("size", longs(adds.iter().map(|add| add.size))),
        (
            "modificationTime",
            longs(adds.iter().map(|add| add.modification_time)),
        ),
        ("dataChange", Arc::new(changes)),
        ("stats", Arc::new(stats)),
    ])
}
