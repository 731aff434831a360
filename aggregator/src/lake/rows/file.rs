//! One Parquet file, column after column: each is built, encoded and let go before the next, so that
//! there is never more than one of them beside the rows as they came.

use std::{io::Write, sync::Arc};

use arrow_schema::{Field, SchemaRef};
use parquet::{
    arrow::{
        ArrowSchemaConverter,
        arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves},
    },
    basic::{Compression, Encoding, ZstdLevel},
    errors::{ParquetError, Result as Encoded},
    file::{
        metadata::{KeyValue, SortingColumn},
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
    precision::SPLIT,
    stats::stats,
    texts::Pool,
};
use crate::lake::schema;

/// Files of fewer rows don't say what their columns mean: that would be much of them, and they are soon merged
/// into larger ones.
pub const EXPLAINED_ROWS: usize = 10_000;
/// Which wrote it, for readers that know of faults of certain versions.
const CREATED_BY: &str = concat!("podledger ", env!("CARGO_PKG_VERSION"));

/// How much time a file's size is worth.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Level of the compression.
    pub zstd: i32,
    /// Bytes of some numbers with a point are put apart by their place.
    pub splits_doubles: bool,
    /// The file says what its columns mean.
    pub explains: bool,
}

impl Style {
    /// For rows that have just come, and are written again soon. Level 3 makes files 6 % smaller in a quarter
    /// more time.
    pub const FAST: Self = Self {
        zstd: 1,
        splits_doubles: false,
        explains: false,
    };
    /// For rows that stay.
    pub const SMALL: Self = Self {
        zstd: 3,
        splits_doubles: true,
        explains: true,
    };
}

/// A file in the making: groups of rows of one table.
pub struct File<W: Write + Send> {
    table: Table,
    style: Style,
    schema: SchemaRef,
    parquet: SchemaDescriptor,
    writer: SerializedFileWriter<W>,
    groups: usize,
}

type Group<'a, W> = SerializedRowGroupWriter<'a, W>;

impl<W: Write + Send> File<W> {
    /// Without rows yet.
    pub fn new(out: W, table: Table, style: &Style) -> Result<Self, WriteError> {
        Self::open(out, table, style).map_err(|source| failed(table, source))
    }

    fn open(out: W, table: Table, style: &Style) -> Encoded<Self> {
        let columns = table.columns();
        let schema = schema::arrow(columns);
        let parquet = ArrowSchemaConverter::new().convert(&schema)?;
        let properties = properties(table, columns, style)?;
        let writer = SerializedFileWriter::new(out, parquet.root_schema_ptr(), properties)?;
        Ok(Self {
            table,
            style: *style,
            schema,
            parquet,
            writer,
            groups: 0,
        })
    }

    /// Adds a group of these of the rows, in this order. Each column is let go as soon as it is written.
    pub fn group(&mut self, mut inputs: Inputs, order: &[u32]) -> Result<(), WriteError> {
        inputs.tell_times();
        self.part(&mut inputs, order, true)
    }

    /// The same for some of the rows, which stay.
    pub fn group_of(&mut self, inputs: &mut Inputs, order: &[u32]) -> Result<(), WriteError> {
        self.part(inputs, order, false)
    }

    fn part(
        &mut self,
        inputs: &mut Inputs,
        order: &[u32],
        is_last: bool,
    ) -> Result<(), WriteError> {
        let table = self.table;
        let writers = self.writers().map_err(|source| failed(table, source))?;
        self.groups += 1;
        let group = self.writer.next_row_group();
        let mut group = group.map_err(|source| failed(table, source))?;
        let stored = table.columns().iter().zip(&mut inputs.columns);
        for ((at, (column, stored)), writer) in stored.enumerate().zip(writers) {
            let placed = Placed::new(stored, order);
            if !column.is_nullable && placed.lacks_any() {
                return Err(WriteError::Lacks {
                    table: table.name(),
                    column: column.name,
                });
            }
            let of_file = OfFile {
                field: self.schema.field(at),
                column: self.parquet.column(at),
                style: &self.style,
                writer,
            };
            let added = of_file.add(&mut group, placed, &inputs.pool);
            added.map_err(|source| failed(table, source))?;
            if is_last {
                drop(stored.take());
            }
        }
        group.close().map_err(|source| failed(table, source))?;
        Ok(())
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// What it was written to, and its statistics as the log holds them.
    pub fn close(self) -> Result<(W, String), WriteError> {
        let table = self.table;
        let stats = stats(table.columns(), self.writer.flushed_row_groups());
        let out = self.writer.into_inner();
        Ok((out.map_err(|source| failed(table, source))?, stats))
    }

    /// The library's encoders, one for each column.
    fn writers(&self) -> Encoded<Vec<ArrowColumnWriter>> {
        let schema = SchemaRef::clone(&self.schema);
        ArrowRowGroupWriterFactory::new(&self.writer, schema).create_column_writers(self.groups)
    }
}

fn failed(table: Table, source: ParquetError) -> WriteError {
    WriteError::Parquet {
        table: table.name(),
        source,
    }
}

/// A column as the file knows it.
struct OfFile<'a> {
    field: &'a Field,
    column: ColumnDescPtr,
    style: &'a Style,
    writer: ArrowColumnWriter,
}

impl OfFile<'_> {
    /// Encodes it as the next of the row group.
    fn add<W: Write + Send>(
        mut self,
        group: &mut Group<'_, W>,
        placed: Placed<'_>,
        pool: &Pool,
    ) -> Encoded<()> {
        if let Some(leaves) = Leaves::of(&placed)
            && let Some(dictionary) = dictionary(leaves, pool)
        {
            let chunk = Chunk::new(pool, &dictionary, self.column, self.style.zstd)?;
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

fn properties(table: Table, columns: &[Column], style: &Style) -> Encoded<WriterPropertiesPtr> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(style.zstd)?))
        .set_created_by(CREATED_BY.to_owned())
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(style.explains.then(|| explained(columns)))
        .set_sorting_columns(sorting(table, columns));
    for column in columns {
        if let Some(encoding) = encoding(column, style) {
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
fn encoding(column: &Column, style: &Style) -> Option<Encoding> {
    match column.kind {
        Kind::Double if style.splits_doubles && SPLIT.contains(&column.name) => {
            Some(Encoding::BYTE_STREAM_SPLIT)
        }
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
