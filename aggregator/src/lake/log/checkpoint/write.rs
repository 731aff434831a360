//! A checkpoint of one part, as any reader of Delta tables takes it.

use std::sync::Arc;

use arrow_json::{ReaderBuilder, reader::Decoder};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use bytes::Bytes;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use super::{
    super::{
        Snapshot,
        action::{Line, Remove},
    },
    BadCheckpoint,
};

/// Actions that are in memory a second time while they are written.
const AT_ONCE: usize = 4_096;

/// The state as Parquet, and how many actions it has. Files that were removed before `oldest`, in
/// milliseconds, are left out: no reader of an older version needs them any more.
pub fn write(snapshot: &Snapshot, oldest: i64) -> Result<(Bytes, usize), BadCheckpoint> {
    let schema = schema();
    let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
    let properties = WriterProperties::builder().set_compression(compression);
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties.build()))?;
    let mut decoder = ReaderBuilder::new(schema)
        .with_batch_size(AT_ONCE)
        .build_decoder()?;
    let (mut size, mut some) = (0, Vec::with_capacity(AT_ONCE));
    for line in lines(snapshot, oldest) {
        size += 1;
        some.push(line);
        if some.len() == AT_ONCE {
            add(&mut writer, &mut decoder, &mut some)?;
        }
    }
    add(&mut writer, &mut decoder, &mut some)?;
    Ok((writer.into_inner()?.into(), size))
}

fn add(
    writer: &mut ArrowWriter<Vec<u8>>,
    decoder: &mut Decoder,
    lines: &mut Vec<Line>,
) -> Result<(), BadCheckpoint> {
    decoder.serialize(lines)?;
    lines.clear();
    if let Some(rows) = decoder.flush()? {
        writer.write(&rows)?;
    }
    Ok(())
}

fn lines(snapshot: &Snapshot, oldest: i64) -> impl Iterator<Item = Line> {
    let first = [
        Line {
            protocol: Some(snapshot.requirements.clone()),
            ..Line::default()
        },
        Line {
            meta_data: Some(snapshot.metadata.clone()),
            ..Line::default()
        },
    ];
    let transactions = snapshot.transactions.values().map(|txn| Line {
        txn: Some(txn.clone()),
        ..Line::default()
    });
    let removed = snapshot
        .removed
        .iter()
        .filter(move |(_, when)| **when >= oldest);
    let removed = removed.map(|(path, when)| Line {
        remove: Some(Remove {
            path: path.clone(),
            deletion_timestamp: Some(*when),
            data_change: false,
        }),
        ..Line::default()
    });
    let files = snapshot.files.iter().flatten().map(|(path, file)| Line {
        add: Some(file.add(path)),
        ..Line::default()
    });
    first
        .into_iter()
        .chain(transactions)
        .chain(removed)
        .chain(files)
}

fn schema() -> SchemaRef {
    use DataType::{Boolean, Int32, Int64, Utf8};
    let map = || {
        let entry = [required("key", Utf8), nullable("value", Utf8)];
        let entry = required("key_value", DataType::Struct(Fields::from_iter(entry)));
        DataType::Map(Arc::new(entry), false)
    };
    let list = || DataType::List(Arc::new(nullable("element", Utf8)));
    let format = fields([nullable("provider", Utf8), nullable("options", map())]);
    let columns = [
        nullable(
            "protocol",
            fields([
                nullable("minReaderVersion", Int32),
                nullable("minWriterVersion", Int32),
                nullable("readerFeatures", list()),
                nullable("writerFeatures", list()),
            ]),
        ),
        nullable(
            "metaData",
            fields([
                nullable("id", Utf8),
                nullable("name", Utf8),
                nullable("description", Utf8),
                nullable("format", format),
                nullable("schemaString", Utf8),
                nullable("partitionColumns", list()),
                nullable("configuration", map()),
                nullable("createdTime", Int64),
            ]),
        ),
        nullable(
            "txn",
            fields([
                nullable("appId", Utf8),
                nullable("version", Int64),
                nullable("lastUpdated", Int64),
            ]),
        ),
        nullable(
            "remove",
            fields([
                nullable("path", Utf8),
                nullable("deletionTimestamp", Int64),
                nullable("dataChange", Boolean),
            ]),
        ),
        nullable(
            "add",
            fields([
                nullable("path", Utf8),
                nullable("partitionValues", map()),
                nullable("size", Int64),
                nullable("modificationTime", Int64),
                nullable("dataChange", Boolean),
                nullable("stats", Utf8),
                nullable("tags", map()),
            ]),
        ),
    ];
    Arc::new(Schema::new(columns.to_vec()))
}

fn nullable(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}

fn required(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn fields<const N: usize>(fields: [Field; N]) -> DataType {
    DataType::Struct(Fields::from_iter(fields))
}
