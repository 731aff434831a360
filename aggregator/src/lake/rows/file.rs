//! One Parquet file, column after column: each is built, encoded and let go before the next.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::{
    arrow::{
        ArrowSchemaConverter,
        arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves},
    },
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};
use protocol::{Column, Kind, Table};

use super::{WriteError, array::array, column, input::Inputs, order};
use crate::lake::schema;

/// Rows of a page: what a reader skips or takes as one.
const PAGE_ROWS: usize = 20_000;

pub fn write(table: Table, columns: &[Column], inputs: &mut Inputs) -> Result<(Bytes, ParquetMetaData), WriteError> {
    let places = order::places(inputs, columns)?;
    let schema = schema::arrow(table, columns);
    let failed = |source: ParquetError| WriteError::Parquet { table: table.name(), source };
    let descriptor = ArrowSchemaConverter::new().convert(&schema).map_err(failed)?;
    let properties = properties(columns);
    let mut out = Vec::new();
    let mut file = SerializedFileWriter::new(&mut out, descriptor.root_schema_ptr(), properties).map_err(failed)?;
    let factory = ArrowRowGroupWriterFactory::new(&file, SchemaRef::clone(&schema));
    let writers = factory.create_column_writers(0).map_err(failed)?;
    let mut group = file.next_row_group().map_err(failed)?;
    for ((column, field), mut writer) in columns.iter().zip(schema.fields()).zip(writers) {
        let t0 = std::time::Instant::now();
        let placed = column::placed(inputs, column, &places)?;
        let array = array(placed, field.data_type(), &inputs.pool);
        let t1 = std::time::Instant::now();
        for leaf in compute_leaves(field, &array).map_err(failed)? {
            writer.write(&leaf).map_err(failed)?;
        }
        drop(array);
        let chunk = writer.close().map_err(failed)?;
        let size = chunk.close().bytes_written;
        chunk.append_to_row_group(&mut group).map_err(failed)?;
        if std::env::var_os("ROWS_TRACE").is_some() {
            eprintln!("{:32} build {:6} us  encode {:6} us  {:8} bytes", column.name, (t1 - t0).as_micros(), t1.elapsed().as_micros(), size);
        }
    }
    group.close().map_err(failed)?;
    let metadata = file.close().map_err(failed)?;
    Ok((Bytes::from(out), metadata))
}

fn properties(columns: &[Column]) -> WriterPropertiesPtr {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("podledger ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Page);
    for column in columns {
        let path = ColumnPath::from(column.name);
        match column.kind {
            Kind::Long | Kind::Int | Kind::Time => {
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
            Kind::Double | Kind::Boolean => {
                properties = properties.set_column_dictionary_enabled(path, false);
            }
            Kind::Text | Kind::TimeText | Kind::Texts => {}
        }
    }
    Arc::new(properties.build())
}
