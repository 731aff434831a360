//! A classic checkpoint: the state at one version as Parquet, in one part or in several. Read with
//! its own types, whatever Arrow types its writer had.

mod write;

use std::collections::BTreeMap;

use arrow_array::{
    Array, BooleanArray, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray,
    StructArray, cast::AsArray as _,
};
use bytes::Bytes;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
};

use super::{
    Snapshot,
    action::{Add, Format, Line, Metadata, Remove, Requirements, Transaction},
};

pub(super) use write::write;

/// Name of a part, counted from 1.
pub(super) fn name(version: u64, part: u64, parts: u64) -> String {
    if parts == 1 {
        format!("{version:020}.checkpoint.parquet")
    } else {
        format!("{version:020}.checkpoint.{part:010}.{parts:010}.parquet")
    }
}

/// Why a checkpoint can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCheckpoint {
    #[error("{0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("{0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    #[error("{0}")]
    Content(&'static str),
}

/// Adds one part to a state.
pub(super) fn read(snapshot: &mut Snapshot, part: Bytes) -> Result<(), BadCheckpoint> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(part, options)?;
    let schema = builder.parquet_schema();
    let wanted = |name: &str| match name {
        "protocol" | "metaData" | "txn" => true,
        "add" | "remove" => snapshot.files.is_some(),
        _ => false,
    };
    let roots = schema.root_schema().get_fields().iter().enumerate();
    let roots: Vec<usize> = roots
        .filter(|(_, field)| wanted(field.name()))
        .map(|(index, _)| index)
        .collect();
    let mask = ProjectionMask::roots(schema, roots);
    for batch in builder.with_projection(mask).build()? {
        read_batch(snapshot, &batch?)?;
    }
    Ok(())
}

fn read_batch(snapshot: &mut Snapshot, batch: &RecordBatch) -> Result<(), BadCheckpoint> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .and_then(|column| column.as_struct_opt())
    };
    let (protocol, metadata) = (column("protocol"), column("metaData"));
    let (txn, add, remove) = (column("txn"), column("add"), column("remove"));
    for row in 0..batch.num_rows() {
        let line = Line {
            protocol: at(protocol, row).as_ref().map(requirements),
            meta_data: at(metadata, row).as_ref().map(metadata_of),
            txn: at(txn, row).as_ref().and_then(transaction),
            add: at(add, row).as_ref().map(added),
            remove: at(remove, row).as_ref().map(removed),
            ..Line::default()
        };
        snapshot.apply(line).map_err(BadCheckpoint::Content)?;
    }
    Ok(())
}

/// A struct that has a value in a row.
struct Fields<'a> {
    of: &'a StructArray,
    row: usize,
}

fn at(column: Option<&StructArray>, row: usize) -> Option<Fields<'_>> {
    let of = column.filter(|column| column.is_valid(row))?;
    Some(Fields { of, row })
}

impl<'a> Fields<'a> {
    fn array<T: 'static>(&self, name: &str) -> Option<&'a T> {
        let array = self.of.column_by_name(name)?;
        let array = array.as_any().downcast_ref::<T>();
        array.filter(|_| {
            self.of
                .column_by_name(name)
                .is_some_and(|array| array.is_valid(self.row))
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        let array = self.array::<StringArray>(name)?;
        Some(array.value(self.row).to_owned())
    }

    fn long(&self, name: &str) -> Option<i64> {
        Some(self.array::<Int64Array>(name)?.value(self.row))
    }

    fn int(&self, name: &str) -> Option<i32> {
        Some(self.array::<Int32Array>(name)?.value(self.row))
    }

    fn boolean(&self, name: &str) -> Option<bool> {
        Some(self.array::<BooleanArray>(name)?.value(self.row))
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.array::<ListArray>(name)?.value(self.row);
        let texts = list.as_string_opt::<i32>()?;
        Some(texts.iter().flatten().map(str::to_owned).collect())
    }

    fn map(&self, name: &str) -> Option<BTreeMap<String, Option<String>>> {
        let entries = self.array::<MapArray>(name)?.value(self.row);
        let keys = entries.column(0).as_string_opt::<i32>()?;
        let values = entries.column(1).as_string_opt::<i32>()?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let pairs = keys.iter().zip(values.iter());
        Some(
            pairs
                .filter_map(|(key, value)| Some((owned(key)?, owned(value))))
                .collect(),
        )
    }
}

fn requirements(fields: &Fields<'_>) -> Requirements {
    Requirements {
        min_reader_version: fields.int("minReaderVersion").unwrap_or(i32::MAX),
        min_writer_version: fields.int("minWriterVersion").unwrap_or(i32::MAX),
        reader_features: fields.texts("readerFeatures"),
        writer_features: fields.texts("writerFeatures"),
    }
}

fn metadata_of(fields: &Fields<'_>) -> Metadata {
    let configuration = fields.map("configuration").unwrap_or_default();
    let values = configuration.into_iter();
    Metadata {
        id: fields.text("id").unwrap_or_default(),
        format: Format::default(),
        schema_string: fields.text("schemaString").unwrap_or_default(),
        partition_columns: fields.texts("partitionColumns").unwrap_or_default(),
        configuration: values
            .filter_map(|(key, value)| Some((key, value?)))
            .collect(),
        created_time: fields.long("createdTime"),
        name: fields.text("name"),
        description: fields.text("description"),
    }
}

fn transaction(fields: &Fields<'_>) -> Option<Transaction> {
    Some(Transaction {
        app_id: fields.text("appId")?,
        version: fields.long("version")?,
        last_updated: fields.long("lastUpdated"),
    })
}

fn added(fields: &Fields<'_>) -> Add {
    Add {
        path: fields.text("path").unwrap_or_default(),
        partition_values: fields.map("partitionValues").unwrap_or_default(),
        size: fields.long("size").unwrap_or_default(),
        modification_time: fields.long("modificationTime").unwrap_or_default(),
        data_change: fields.boolean("dataChange").unwrap_or_default(),
        stats: fields.text("stats"),
        tags: fields.map("tags"),
    }
}

fn removed(fields: &Fields<'_>) -> Remove {
    Remove {
        path: fields.text("path").unwrap_or_default(),
        deletion_timestamp: fields.long("deletionTimestamp"),
        data_change: fields.boolean("dataChange").unwrap_or_default(),
    }
}
