//! A column of texts as dictionary pages of our own. The library's encoder hashes every value of
//! every row, which for labels and the like takes longer than all other columns together; here the
//! texts are numbers already. A sorted dictionary besides makes each page's least and greatest value
//! the least and greatest number. Those of lists are in no order: no reader looks for rows by the least of all
//! labels of a page, and to sort them takes as long as to encode them.

mod hybrid;
mod leaves;

use bytes::Bytes;
use parquet::{
    basic::{BoundaryOrder, Compression, Encoding, EncodingMask, PageType, Type, ZstdLevel},
    column::{
        page::{CompressedPage, Page as Encoded, PageWriter},
        writer::ColumnCloseResult,
    },
    data_type::ByteArray,
    errors::{ParquetError, Result},
    file::{
        metadata::{
            ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats,
        },
        statistics::{Statistics, ValueStatistics},
        writer::{SerializedPageWriter, TrackedWrite},
    },
    schema::types::ColumnDescPtr,
};
use zstd::bulk::Compressor;

use super::{
    ranks::Ranks,
    texts::{Pool, as_u32},
};
use leaves::Page;
pub use leaves::{Leaves, dictionary};

/// Rows of a page: what a reader skips or takes as one.
pub const PAGE_ROWS: usize = 20_000;
/// Values of a page, if its lists are long.
const PAGE_VALUES: usize = 1 << 19;
/// Longest text that statistics repeat.
const STATISTICS_BYTES: usize = 128;

/// A column chunk while it is made.
pub struct Chunk<'a> {
    pool: &'a Pool,
    dictionary: &'a Ranks,
    column: ColumnDescPtr,
    sink: TrackedWrite<Vec<u8>>,
    compressor: Compressor<'static>,
    compression: Compression,
    totals: Totals,
    pages: ColumnIndexBuilder,
    offsets: OffsetIndexBuilder,
    /// Least and greatest of the page before, while all pages ascend.
    last: Option<(u32, u32)>,
    is_ascending: bool,
}

#[derive(Default)]
struct Totals {
    uncompressed: i64,
    values: i64,
    nulls: u64,
    pages: i32,
    data_offset: i64,
}

impl<'a> Chunk<'a> {
    /// Of a column in a file that is compressed so.
    pub fn new(
        pool: &'a Pool,
        dictionary: &'a Ranks,
        column: ColumnDescPtr,
        level: i32,
    ) -> Result<Self> {
        Ok(Self {
            pool,
            dictionary,
            column,
            sink: TrackedWrite::new(Vec::new()),
            compressor: Compressor::new(level)?,
            compression: Compression::ZSTD(ZstdLevel::try_new(level)?),
            totals: Totals::default(),
            pages: ColumnIndexBuilder::new(Type::BYTE_ARRAY),
            offsets: OffsetIndexBuilder::new(),
            last: None,
            is_ascending: true,
        })
    }

    /// Encodes the column whole.
    pub fn encode(mut self, leaves: Leaves<'_>) -> Result<(Bytes, ColumnCloseResult)> {
        self.dictionary_page()?;
        self.totals.data_offset = long(self.sink.bytes_written())?;
        let is_nullable = self.column.max_def_level() > self.column.max_rep_level();
        let (mut start, mut page) = (0, Page::default());
        while start < leaves.rows() {
            let end = leaves.end(start, PAGE_ROWS, PAGE_VALUES);
            leaves.page(start..end, is_nullable, self.dictionary, &mut page);
            self.data_page(&page, end - start)?;
            start = end;
        }
        self.close(leaves.rows())
    }

    fn dictionary_page(&mut self) -> Result<()> {
        let mut content = Vec::new();
        for number in &self.dictionary.texts {
            let text = self.pool.get(*number);
            content.extend_from_slice(&as_u32(text.len()).to_le_bytes());
            content.extend_from_slice(text.as_bytes());
        }
        let page = Encoded::DictionaryPage {
            buf: self.compress(&content)?,
            num_values: as_u32(self.dictionary.texts.len()),
            encoding: Encoding::PLAIN,
            is_sorted: self.dictionary.is_sorted,
        };
        self.write(page, content.len())?;
        Ok(())
    }

    fn data_page(&mut self, page: &Page, rows: usize) -> Result<()> {
        let mut content = Vec::new();
        levels(&page.reps, self.column.max_rep_level(), &mut content);
        levels(&page.defs, self.column.max_def_level(), &mut content);
        let width = hybrid::width(as_u32(self.dictionary.texts.len().saturating_sub(1)));
        content.push(width as u8);
        hybrid::encode(&page.values, width, &mut content);
        let encoded = Encoded::DataPage {
            buf: self.compress(&content)?,
            num_values: as_u32(page.defs.len()),
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let (offset, size) = self.write(encoded, content.len())?;
        let nulls = page.defs.len().saturating_sub(page.values.len());
        self.totals.values += long(page.defs.len())?;
        self.totals.nulls += nulls as u64;
        self.totals.pages += 1;
        self.offsets.append_row_count(long(rows)?);
        self.offsets.append_offset_and_size(offset, size);
        self.index(page, long(nulls)?);
        Ok(())
    }

    /// Notes the page's least and greatest text.
    fn index(&mut self, page: &Page, nulls: i64) {
        if !self.dictionary.is_sorted {
            self.pages.to_invalid();
            return;
        }
        let (Some(&least), Some(&greatest)) = (page.values.iter().min(), page.values.iter().max())
        else {
            self.pages.append(true, Vec::new(), Vec::new(), nulls);
            return;
        };
        let is_after = |(low, high): (u32, u32)| low <= least && high <= greatest;
        self.is_ascending &= self.last.is_none_or(is_after);
        self.last = Some((least, greatest));
        match (self.text(least), self.text(greatest)) {
            (Some(least), Some(greatest)) if self.pages.valid() => {
                self.pages
                    .append(false, least.into(), greatest.into(), nulls);
            }
            _ => self.pages.to_invalid(),
        }
    }

    /// Text at a place of the dictionary, if it is short enough for statistics.
    fn text(&self, place: u32) -> Option<&'a str> {
        let number = self.dictionary.texts.get(place as usize)?;
        Some(self.pool.get(*number)).filter(|text| text.len() <= STATISTICS_BYTES)
    }

    fn compress(&mut self, content: &[u8]) -> Result<Bytes> {
        Ok(self.compressor.compress(content)?.into())
    }

    /// Offset and size of the page in the chunk, its header included.
    fn write(&mut self, page: Encoded, uncompressed: usize) -> Result<(i64, i32)> {
        let page = CompressedPage::new(page, uncompressed);
        let spec = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        self.totals.uncompressed += long(spec.uncompressed_size)?;
        let size = i32::try_from(spec.compressed_size).map_err(too_large)?;
        Ok((i64::try_from(spec.offset).map_err(too_large)?, size))
    }

    fn close(mut self, rows: usize) -> Result<(Bytes, ColumnCloseResult)> {
        let size = self.sink.bytes_written();
        let metadata = self.metadata(long(size)?)?;
        self.pages.set_boundary_order(match self.is_ascending {
            true => BoundaryOrder::ASCENDING,
            false => BoundaryOrder::UNORDERED,
        });
        let column_index = match self.pages.valid() {
            true => Some(self.pages.build()?),
            false => None,
        };
        let close = ColumnCloseResult {
            bytes_written: size as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index,
            offset_index: Some(self.offsets.build()),
        };
        Ok((self.sink.into_inner()?.into(), close))
    }

    fn metadata(&self, size: i64) -> Result<ColumnChunkMetaData> {
        let used = [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY];
        let stats = |page_type, encoding, count| PageEncodingStats {
            page_type,
            encoding,
            count,
        };
        let last = self.dictionary.texts.len().checked_sub(1);
        let last = last.filter(|_| self.dictionary.is_sorted);
        let least = last.and_then(|_| self.text(0));
        let greatest = last.and_then(|last| self.text(as_u32(last)));
        let bytes = |text: &str| ByteArray::from(text);
        let nulls = Some(self.totals.nulls);
        let statistics = match least.zip(greatest) {
            Some((least, greatest)) => ValueStatistics::new(
                Some(bytes(least)),
                Some(bytes(greatest)),
                None,
                nulls,
                false,
            )
            .with_min_is_exact(true)
            .with_max_is_exact(true),
            None => ValueStatistics::new(None, None, None, nulls, false),
        };
        ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(self.compression)
            .set_encodings_mask(EncodingMask::new_from_encodings(used.iter()))
            .set_page_encoding_stats(vec![
                stats(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1),
                stats(
                    PageType::DATA_PAGE,
                    Encoding::RLE_DICTIONARY,
                    self.totals.pages,
                ),
            ])
            .set_total_compressed_size(size)
            .set_total_uncompressed_size(self.totals.uncompressed)
            .set_num_values(self.totals.values)
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(self.totals.data_offset)
            .set_statistics(Statistics::ByteArray(statistics))
            .build()
    }
}

/// Levels with their length before them; none at all where there is only one.
fn levels(levels: &[u32], most: i16, out: &mut Vec<u8>) {
    let Some(most) = u32::try_from(most).ok().filter(|most| *most > 0) else {
        return;
    };
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    hybrid::encode(levels, hybrid::width(most), out);
    let len = as_u32(out.len() - start - 4).to_le_bytes();
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&len);
    }
}

fn long(size: usize) -> Result<i64> {
    i64::try_from(size).map_err(too_large)
}

fn too_large(error: std::num::TryFromIntError) -> ParquetError {
    ParquetError::General(format!("a column chunk is too large: {error}"))
}
