//! Some columns of one Parquet file, fetched in ranges, so that a large file costs no more memory than
//! one row group of what is wanted of it.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::{Buf as _, Bytes};
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use super::{LakeError, store::Store};

/// Up to this size one request for all of a file costs less than several for parts.
const SMALL_BYTES: u64 = 1 << 20;
/// How much of its end is fetched at first.
const TAIL_BYTES: u64 = 64 << 10;
const BATCH_ROWS: usize = 8_192;

/// Calls `take` with the rows of a file of that size: those columns of `names` that it has.
pub async fn read<E: From<LakeError>>(
    store: &Store,
    (path, size): (&Path, u64),
    names: &[impl AsRef<str>],
    mut take: impl FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = ParquetFile::open(store, (path, size), PageIndexPolicy::Skip).await?;
    let schema = file.metadata.metadata().file_metadata().schema_descr_ptr();
    let mask = ProjectionMask::columns(&schema, names.iter().map(AsRef::as_ref));
    for group in 0..file.metadata.metadata().num_row_groups() {
        let ranges = file.columns(group, &mask);
        file.fetch(store, ranges).await?;
        let reader = file.reader(group).map_err(|error| file.damaged(error))?;
        let reader = reader.with_projection(mask.clone()).build();
        for batch in reader.map_err(|error| file.damaged(error))? {
            take(&batch.map_err(|error| file.damaged(error.into()))?)?;
        }
        file.forget();
    }
    Ok(())
}

/// A file of which some parts were fetched.
#[derive(Clone, Debug)]
pub struct ParquetFile {
    path: Path,
    /// What it says of itself.
    pub metadata: ArrowReaderMetadata,
    parts: Parts,
    /// Parts that are never forgotten: all of a small file.
    kept: usize,
}

impl ParquetFile {
    /// Reads what a file of that size says of itself.
    pub async fn open(
        store: &Store,
        (path, size): (&Path, u64),
        index: PageIndexPolicy,
    ) -> Result<Self, LakeError> {
        let source = Source { store, path, size };
        let mut parts = source.end().await?;
        let metadata = source.metadata(&mut parts, index).await?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), options);
        let metadata = metadata.map_err(|error| source.damaged(error))?;
        parts.parts.retain(|part| part.start == 0);
        Ok(Self {
            path: path.clone(),
            metadata,
            kept: parts.parts.len(),
            parts,
        })
    }

    /// Fetches of these bytes what is not there yet.
    pub async fn fetch(&mut self, store: &Store, ranges: Vec<Range<u64>>) -> Result<(), LakeError> {
        let missing = ranges.into_iter().filter(|range| !self.parts.has(range));
        let missing: Vec<Range<u64>> = missing.collect();
        if !missing.is_empty() {
            let (path, size) = (&self.path, self.parts.length);
            let source = Source { store, path, size };
            let more = source.ranges(&missing).await?;
            self.parts.parts.extend(more);
        }
        Ok(())
    }

    /// Lets go what was fetched.
    pub fn forget(&mut self) {
        self.parts.parts.truncate(self.kept);
    }

    /// Lets go what was fetched of the bytes before these.
    pub fn forget_before(&mut self, start: u64) {
        let later = self.parts.parts.split_off(self.kept);
        let later = later.into_iter().filter(|part| part.start >= start);
        self.parts.parts.extend(later);
    }

    /// Where these columns of a row group are.
    pub fn columns(&self, group: usize, mask: &ProjectionMask) -> Vec<Range<u64>> {
        let chunks = self.metadata.metadata().row_group(group).columns();
        let wanted = chunks.iter().enumerate();
        let wanted = wanted.filter(|(leaf, _)| mask.leaf_included(*leaf));
        let ranges = wanted.map(|(_, chunk)| {
            let (start, length) = chunk.byte_range();
            start..start.saturating_add(length).min(self.parts.length)
        });
        ranges.collect()
    }

    /// Reads a row group of which the wanted parts were fetched.
    pub fn reader(&self, group: usize) -> Result<Reader, ParquetError> {
        let parts = self.parts.clone();
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(parts, self.metadata.clone());
        Ok(builder
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS))
    }

    /// It can't be understood.
    pub fn damaged(&self, source: ParquetError) -> LakeError {
        LakeError::BadFile {
            path: self.path.to_string(),
            source,
        }
    }
}

/// Of some rows and columns of a file.
pub type Reader = ParquetRecordBatchReaderBuilder<Parts>;

struct Source<'a> {
    store: &'a Store,
    path: &'a Path,
    size: u64,
}

impl Source<'_> {
    fn damaged(&self, source: ParquetError) -> LakeError {
        LakeError::BadFile {
            path: self.path.to_string(),
            source,
        }
    }

    async fn ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Part>, LakeError> {
        let found = self.store.ranges(self.path, ranges).await?;
        let starts = ranges.iter().map(|range| range.start);
        Ok(starts
            .zip(found)
            .map(|(start, bytes)| Part { start, bytes })
            .collect())
    }

    /// All of a small file, the end of a large one.
    async fn end(&self) -> Result<Parts, LakeError> {
        let length = self.size;
        let start = match length {
            0..=SMALL_BYTES => 0,
            _ => length - TAIL_BYTES,
        };
        let parts = self.ranges(std::slice::from_ref(&(start..length))).await?;
        Ok(Parts { length, parts })
    }

    async fn metadata(
        &self,
        parts: &mut Parts,
        index: PageIndexPolicy,
    ) -> Result<ParquetMetaData, LakeError> {
        let mut reader = ParquetMetaDataReader::new().with_offset_index_policy(index);
        loop {
            let tail = parts.parts.first().map(|part| part.bytes.clone());
            let tail = tail.unwrap_or_default();
            match reader.try_parse_sized(&tail, parts.length) {
                Ok(()) => return reader.finish().map_err(|error| self.damaged(error)),
                Err(ParquetError::NeedMoreData(needed))
                    if needed > tail.len() && needed as u64 <= parts.length =>
                {
                    let range = parts.length - needed as u64..parts.length;
                    parts.parts = self.ranges(&[range]).await?;
                }
                Err(error) => return Err(self.damaged(error)),
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Part {
    start: u64,
    bytes: Bytes,
}

/// The parts of a file that were fetched.
#[derive(Clone, Debug)]
pub struct Parts {
    length: u64,
    parts: Vec<Part>,
}

impl Parts {
    fn has(&self, range: &Range<u64>) -> bool {
        self.from(range.start)
            .is_some_and(|bytes| bytes.len() as u64 >= range.end - range.start)
    }

    /// What was fetched from here on.
    fn from(&self, start: u64) -> Option<Bytes> {
        self.parts.iter().find_map(|part| {
            let skipped = usize::try_from(start.checked_sub(part.start)?).ok()?;
            (skipped < part.bytes.len()).then(|| part.bytes.slice(skipped..))
        })
    }

    fn absent(start: u64) -> ParquetError {
        ParquetError::General(format!("bytes from {start} on are of no column"))
    }
}

impl Length for Parts {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Parts {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let bytes = self.from(start).ok_or_else(|| Self::absent(start))?;
        Ok(bytes.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start).filter(|bytes| bytes.len() >= length);
        Ok(bytes.ok_or_else(|| Self::absent(start))?.slice(..length))
    }
}
