//! One Parquet file, column after column: each is built, encoded and let go before the next, so that
//! there is never more than one of them beside the rows as they came.

use std::sync::Arc;

use arrow_schema::{Field, SchemaRef};
use bytes::Bytes;
use parquet::{
    arrow::{
        ArrowSchemaConverter,
        arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves},
    },
    basic::{Compression, Encoding, ZstdLevel},
    errors::{ParquetError, Result as Encoded},
    file::{
        metadata::{KeyValue, ParquetMetaData, SortingColumn},
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::{ColumnDescPtr, ColumnPath, SchemaDescriptor},
};
use protocol::{Column, Kind, Table};

use super::{
    WriteError,
    array::array,
    column::Placed,
    dictionary::{Chunk, Leaves, PAGE_ROWS, dictionary},
    input::Inputs,
    order,
    texts::Pool,
};
use crate::lake::schema;

/// Level 3 makes files 6 % smaller in a quarter more time.
const ZSTD_LEVEL: i32 = 1;
/// Files of fewer rows don't say what their columns mean: that would be much of them, and they are soon merged
/// into larger ones.
const EXPLAINED_ROWS: usize = 10_000;
/// Which wrote it, for readers that know of faults of certain versions.
const CREATED_BY: &str = concat!("podledger ", env!("CARGO_PKG_VERSION"));

type Group<'a, 'b> = SerializedRowGroupWriter<'a, &'b mut Vec<u8>>;

/// Sorts the rows and makes them one file of one row group.
pub fn write(inputs: Inputs) -> Result<(Bytes, ParquetMetaData), WriteError> {
    let mut bytes = Vec::new();
    let metadata = write_to(&mut bytes, inputs)?;
    Ok((bytes.into(), metadata))
}

fn write_to(out: &mut Vec<u8>, mut inputs: Inputs) -> Result<ParquetMetaData, WriteError> {
    let places = order::places(&inputs);
    let table = inputs.table;
    let columns = table.columns();
    let failed = |source: ParquetError| WriteError::Parquet {
        table: table.name(),
        source,
    };
    let mut file = File::new(out, table, inputs.rows).map_err(failed)?;
    let writers = file.writers().map_err(failed)?;
    let mut group = file.writer.next_row_group().map_err(failed)?;
    let stored = columns.iter().zip(&mut inputs.columns);
    for ((at, (column, stored)), writer) in stored.enumerate().zip(writers) {
        let mut stored = stored.take();
        if column.kind == Kind::TimeText {
            stored = stored.into_time_texts(&mut inputs.pool);
        }
        let placed = Placed::new(stored, &places);
        if !column.is_nullable && placed.lacks_any() {
            return Err(WriteError::Lacks {
                table: table.name(),
                column: column.name,
            });
        }
        let of_file = OfFile {
            field: file.schema.field(at),
            column: file.parquet.column(at),
            writer,
        };
        let added = of_file.add(&mut group, placed, &inputs.pool);
        added.map_err(failed)?;
    }
    group.close().map_err(failed)?;
    file.writer.close().map_err(failed)
}

/// A file without rows yet.
struct File<'a> {
    schema: SchemaRef,
    parquet: SchemaDescriptor,
    writer: SerializedFileWriter<&'a mut Vec<u8>>,
}

impl<'a> File<'a> {
    fn new(out: &'a mut Vec<u8>, table: Table, rows: usize) -> Encoded<Self> {
        let columns = table.columns();
        let schema = schema::arrow(columns);
        let parquet = ArrowSchemaConverter::new().convert(&schema)?;
        let properties = properties(table, rows)?;
        let writer = SerializedFileWriter::new(out, parquet.root_schema_ptr(), properties)?;
        Ok(Self {
            schema,
            parquet,
            writer,
        })
    }

    /// The library's encoders, one for each column.
    fn writers(&self) -> Encoded<Vec<ArrowColumnWriter>> {
        let schema = SchemaRef::clone(&self.schema);
        ArrowRowGroupWriterFactory::new(&self.writer, schema).create_column_writers(0)
    }
}

/// A column as the file knows it.
struct OfFile<'a> {
    field: &'a Field,
    column: ColumnDescPtr,
    writer: ArrowColumnWriter,
}

impl OfFile<'_> {
    /// Encodes it as the next of the row group.
    fn add(mut self, group: &mut Group<'_, '_>, placed: Placed, pool: &Pool) -> Encoded<()> {
        if let Some(leaves) = Leaves::of(&placed)
            && let Some(dictionary) = dictionary(leaves, pool)
        {
            let chunk = Chunk::new(pool, &dictionary, self.column, ZSTD_LEVEL)?;
            let (bytes, close) = chunk.encode(leaves)?;
            return group.append_column(&bytes, close);
        }
        let array = array(placed, self.field.data_type(), pool)?;
        for leaf in compute_leaves(self.field, &array)? {
            self.writer.write(&leaf)?;
        }
        drop(array);
        self.writer.close()?.append_to_row_group(group)
    }
}

fn properties(table: Table, rows: usize) -> Encoded<WriterPropertiesPtr> {
    let columns = table.columns();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_created_by(CREATED_BY.to_owned())
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata((rows >= EXPLAINED_ROWS).then(|| explained(columns)))
        .set_sorting_columns(sorting(table, columns));
    for column in columns {
        if let Some(encoding) = encoding(column.kind) {
            let path = ColumnPath::new(path(column));
            properties = properties.set_column_encoding(path, encoding);
        }
    }
    Ok(Arc::new(properties.build()))
}

/// What each column means.
fn explained(columns: &[Column]) -> Vec<KeyValue> {
    let (key, value) = (schema::FILE_KEY, schema::file_metadata(columns));
    vec![KeyValue::new(key.to_owned(), value)]
}

/// Where a column's values are in the schema of the file.
fn path(column: &Column) -> Vec<String> {
    let path: &[&str] = match column.kind {
        Kind::Texts => &[column.name, "list", "element"],
        _ => &[column.name],
    };
    path.iter().map(|part| (*part).to_owned()).collect()
}

/// What a column is encoded as, if not as a dictionary.
fn encoding(kind: Kind) -> Option<Encoding> {
    match kind {
        Kind::Long | Kind::Int | Kind::Time => Some(Encoding::DELTA_BINARY_PACKED),
        Kind::Text | Kind::TimeText | Kind::Texts => Some(Encoding::DELTA_BYTE_ARRAY),
        Kind::Double | Kind::Boolean => None,
    }
}

/// The order of the rows, as it is told to readers.
fn sorting(table: Table, columns: &[Column]) -> Option<Vec<SortingColumn>> {
    let keys = order::keys(table).iter().copied();
    let place = |name| columns.iter().position(|column| column.name == name);
    let sorting = |name| {
        Some(SortingColumn {
            column_idx: i32::try_from(place(name)?).ok()?,
            descending: false,
            nulls_first: true,
        })
    };
    keys.map(sorting).collect()
}
