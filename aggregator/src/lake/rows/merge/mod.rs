//! Files of sorted rows merged into fewer ones. Only so many rows are in memory as one unit has, whose
//! keys are all between those of the unit before and those of the next.

mod gather;
mod runs;
mod scan;
mod units;

use std::{collections::VecDeque, io, mem, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection},
    },
    errors::ParquetError,
    file::metadata::PageIndexPolicy,
};
use protocol::Table;

use super::{
    WriteError,
    file::{File, Style},
    input::Inputs,
    order,
};
use crate::lake::{
    LakeError,
    encode::EncodeError,
    merge::{Input, Merge, Merged, Merging},
    parquet_file::ParquetFile,
    settings::Offload,
    store::Store,
};
use gather::Gather;
use units::Unit;

pub use scan::Scan;

/// Rows that are in memory at a time, roughly.
const UNIT_ROWS: u64 = 524_288;
/// Rows of a row group: what one thread of a reader takes.
const GROUP_ROWS: usize = 262_144;
/// Bytes of a file that is large enough.
const FILE_BYTES: usize = 192 << 20;
/// Bytes of one piece of a file.
const PIECE_BYTES: usize = 4 << 20;

/// Merges Parquet files.
#[derive(Clone, Copy, Debug)]
pub struct MergeFiles {
    /// Where rows are sorted and encoded.
    pub offload: Offload,
    /// Rows of a unit.
    pub unit_rows: u64,
    /// Bytes at which a file is closed.
    pub file_bytes: usize,
}

impl MergeFiles {
    /// In a third of the memory, beside other work.
    pub fn beside() -> Self {
        Self {
            unit_rows: UNIT_ROWS / 4,
            file_bytes: FILE_BYTES * 2 / 3,
            ..Self::default()
        }
    }
}

impl Default for MergeFiles {
    fn default() -> Self {
        Self {
            offload: Offload::default(),
            unit_rows: UNIT_ROWS,
            file_bytes: FILE_BYTES,
        }
    }
}

#[async_trait]
impl Merge for MergeFiles {
    async fn begin(
        &self,
        store: &Store,
        table: Table,
        inputs: Vec<Input>,
    ) -> Result<Box<dyn Merging>, LakeError> {
        let mut files = Vec::with_capacity(inputs.len());
        for Input { path, size } in inputs {
            let file = ParquetFile::open(store, (&path, size), PageIndexPolicy::Optional);
            files.push(with_dictionaries(file.await?)?);
        }
        let units = units::plan(store, table, &mut files, self.unit_rows).await?;
        Ok(Box::new(Work {
            settings: *self,
            store: store.clone(),
            table,
            files,
            units: units.into(),
            file: None,
            rows: 0,
        }))
    }
}

/// The same file, its texts told as numbers and each text once.
fn with_dictionaries(mut file: ParquetFile) -> Result<ParquetFile, LakeError> {
    let schema = gather::with_dictionaries(file.metadata.schema());
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_schema(Arc::new(schema));
    let metadata = ArrowReaderMetadata::try_new(file.metadata.metadata().clone(), options);
    file.metadata = metadata.map_err(|error| file.damaged(error))?;
    Ok(file)
}

struct Work {
    settings: MergeFiles,
    store: Store,
    table: Table,
    files: Vec<ParquetFile>,
    units: VecDeque<Unit>,
    file: Option<File<Pieces>>,
    rows: u64,
}

#[async_trait]
impl Merging for Work {
    async fn next(&mut self) -> Result<Option<Merged>, LakeError> {
        while let Some(unit) = self.units.pop_front() {
            self.add(unit).await?;
            let is_full = |file: &File<Pieces>| file.bytes() >= self.settings.file_bytes;
            if self.file.as_ref().is_some_and(is_full) {
                break;
            }
        }
        let Some(file) = self.file.take() else {
            return Ok(None);
        };
        let table = self.table;
        let (pieces, stats) = file.close().map_err(|error| failed(table, error))?;
        Ok(Some(Merged {
            pieces: pieces.into_bytes(),
            rows: mem::take(&mut self.rows),
            stats,
        }))
    }
}

impl Work {
    /// Reads a unit's rows and writes them.
    async fn add(&mut self, unit: Unit) -> Result<(), LakeError> {
        let table = self.table;
        let mut parts = Vec::with_capacity(unit.parts.len());
        for (at, ranges) in &unit.parts {
            let Some(file) = self.files.get_mut(*at) else {
                continue;
            };
            let groups = units::groups(file, ranges);
            for group in groups.keys() {
                let all = file.columns(*group, &ProjectionMask::all());
                let whole = start_of(&all)..end_of(&all);
                file.fetch(&self.store, vec![whole]).await?;
            }
            parts.push((file.clone(), groups));
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => File::new(Pieces::default(), table, &Style::SMALL)
                .map_err(|error| failed(table, error))?,
        };
        let rows = unit.rows;
        let work = move || write(file, table, rows, parts);
        let written = match self.settings.offload {
            Offload::Inline => work(),
            Offload::Blocking => {
                let done = tokio::task::spawn_blocking(work).await;
                done.unwrap_or_else(|error| Err(failed(table, error)))
            }
        };
        self.file = Some(written?);
        self.rows += rows;
        for (at, ranges) in &unit.parts {
            if let Some(file) = self.files.get_mut(*at) {
                forget(file, units::next_group(file, ranges));
            }
        }
        Ok(())
    }
}

/// Lets go the row groups before this one.
fn forget(file: &mut ParquetFile, next: usize) {
    let groups = file.metadata.metadata().num_row_groups();
    match next < groups {
        true => file.forget_before(start_of(&file.columns(next, &ProjectionMask::all()))),
        false => file.forget(),
    }
}

type Part = (ParquetFile, std::collections::BTreeMap<usize, RowSelection>);

fn write(
    mut file: File<Pieces>,
    table: Table,
    rows: u64,
    parts: Vec<Part>,
) -> Result<File<Pieces>, LakeError> {
    let room = usize::try_from(rows).unwrap_or(0);
    let mut inputs = Inputs::new(table, room);
    for (part, groups) in parts {
        let mut gather = Gather::new(&mut inputs);
        for (group, selection) in groups {
            let reader = part.reader(group).map_err(|error| part.damaged(error))?;
            let reader = reader.with_row_selection(selection).build();
            for batch in reader.map_err(|error| part.damaged(error))? {
                let batch = batch.map_err(|error| part.damaged(error.into()))?;
                let strange = |error| part.damaged(ParquetError::External(Box::new(error)));
                gather.push(&batch).map_err(strange)?;
            }
        }
    }
    if inputs.rows != room {
        let problem = format!("{} rows were found where {room} were told", inputs.rows);
        return Err(failed(table, problem));
    }
    let order = order::order(&inputs);
    for rows in order.chunks(GROUP_ROWS) {
        let written = file.group_of(&mut inputs, rows);
        written.map_err(|error: WriteError| failed(table, error))?;
    }
    Ok(file)
}

fn start_of(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.start).min().unwrap_or(0)
}

fn end_of(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end).max().unwrap_or(0)
}

fn failed(table: Table, source: impl Into<EncodeError>) -> LakeError {
    LakeError::Encode {
        table: table.name(),
        source: source.into(),
    }
}

/// What a file is written to: in pieces, none of which is ever copied to grow.
#[derive(Default)]
struct Pieces {
    whole: Vec<Bytes>,
    last: Vec<u8>,
}

impl Pieces {
    fn into_bytes(mut self) -> Vec<Bytes> {
        self.whole.push(self.last.into());
        self.whole
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.len().saturating_add(bytes.len()) > PIECE_BYTES {
            let piece = mem::take(&mut self.last);
            self.whole.push(piece.into());
        }
        self.last.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn pieces_are_the_whole() {
        let wanted: Vec<u8> = (0..3 * PIECE_BYTES as u32)
            .map(|at| (at / 7) as u8)
            .collect();
        let mut pieces = Pieces::default();
        for part in wanted.chunks(1_234_567) {
            pieces.write_all(part).unwrap();
        }
        let pieces = pieces.into_bytes();
        assert!(pieces.len() > 3, "{}", pieces.len());
        assert!(pieces.concat() == wanted);
    }
}
