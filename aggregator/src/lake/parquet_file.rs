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
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
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
    let source = Source { store, path, size };
    let mut parts = source.end().await?;
    let metadata = source.metadata(&mut parts).await?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), options);
    let metadata = metadata.map_err(|error| source.damaged(error))?;
    let mask = ProjectionMask::columns(
        metadata.metadata().file_metadata().schema_descr(),
        names.iter().map(AsRef::as_ref),
    );
    for group in 0..metadata.metadata().num_row_groups() {
        let input = source
            .group(&parts, metadata.metadata(), (group, &mask))
            .await?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata.clone())
            .with_projection(mask.clone())
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| source.damaged(error))?;
        for batch in reader {
            take(&batch.map_err(|error| source.damaged(error.into()))?)?;
        }
    }
    Ok(())
}

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

    async fn metadata(&self, parts: &mut Parts) -> Result<ParquetMetaData, LakeError> {
        let mut reader = ParquetMetaDataReader::new();
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

    async fn group(
        &self,
        known: &Parts,
        metadata: &ParquetMetaData,
        (group, mask): (usize, &ProjectionMask),
    ) -> Result<Parts, LakeError> {
        let chunks = metadata.row_group(group).columns().iter().enumerate();
        let wanted = chunks.filter(|(leaf, _)| mask.leaf_included(*leaf));
        let ranges = wanted.map(|(_, chunk)| {
            let (start, length) = chunk.byte_range();
            start..start.saturating_add(length).min(known.length)
        });
        let missing: Vec<Range<u64>> = ranges.filter(|range| !known.has(range)).collect();
        let mut parts = known.clone();
        if !missing.is_empty() {
            parts.parts.extend(self.ranges(&missing).await?);
        }
        Ok(parts)
    }
}

#[derive(Clone, Debug)]
struct Part {
    start: u64,
    bytes: Bytes,
}

/// The parts of a file that were fetched.
#[derive(Clone, Debug)]
struct Parts {
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
