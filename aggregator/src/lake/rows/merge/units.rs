//! Which rows of which files are merged at a time.

use std::{collections::BTreeMap, ops::Range};

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use protocol::Table;

use super::runs::{Run, Runs};
use crate::lake::{LakeError, parquet_file::ParquetFile, store::Store};

/// Rows whose keys no other unit has.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// How many.
    pub rows: u64,
    /// Which rows of which file, ascending.
    pub parts: BTreeMap<usize, Vec<Range<u64>>>,
}

/// All rows of these files in units of about so many rows. If they are no more than one unit has, none
/// of them is looked at.
pub(super) async fn plan(
    store: &Store,
    table: Table,
    files: &mut [ParquetFile],
    unit_rows: u64,
) -> Result<Vec<Unit>, LakeError> {
    let all: Vec<u64> = files.iter().map(rows).collect();
    if all.iter().sum::<u64>() <= unit_rows {
        let mut unit = Unit::default();
        for (at, rows) in all.into_iter().enumerate() {
            unit.rows += rows;
            let all = std::iter::once(0..rows);
            unit.parts.insert(at, all.collect());
        }
        return Ok(vec![unit]);
    }
    let mut runs = Runs::default();
    for (number, file) in (0..).zip(files) {
        runs.read(store, table, (number, file)).await?;
    }
    Ok(cut(&runs.sorted(), unit_rows))
}

fn cut(runs: &[(u32, Run)], unit_rows: u64) -> Vec<Unit> {
    let mut units = vec![Unit::default()];
    for same in runs.chunk_by(|left, right| left.0 == right.0) {
        let more: u64 = same.iter().map(|(_, run)| rows_of(run)).sum();
        if units
            .last()
            .is_some_and(|unit| unit.rows > 0 && unit.rows + more > unit_rows)
        {
            units.push(Unit::default());
        }
        if let Some(unit) = units.last_mut() {
            same.iter().for_each(|(_, run)| unit.add(run));
        }
    }
    for ranges in units.iter_mut().flat_map(|unit| unit.parts.values_mut()) {
        join(ranges);
    }
    units
}

fn rows_of(run: &Run) -> u64 {
    let rows = run.rows();
    rows.end - rows.start
}

impl Unit {
    fn add(&mut self, run: &Run) {
        self.rows += rows_of(run);
        let ranges = self.parts.entry(run.file as usize).or_default();
        match ranges.last_mut() {
            Some(last) if last.end == run.rows().start => last.end = run.rows().end,
            _ => ranges.push(run.rows()),
        }
    }
}

/// In the order of the file.
fn join(ranges: &mut Vec<Range<u64>>) {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let follows = last.end == next.start;
        if follows {
            last.end = next.end;
        }
        follows
    });
}

/// Rows of a file.
fn rows(file: &ParquetFile) -> u64 {
    let rows = file.metadata.metadata().file_metadata().num_rows();
    u64::try_from(rows).unwrap_or(0)
}

/// The row groups that have some of these rows, and which of theirs.
pub(super) fn groups(file: &ParquetFile, ranges: &[Range<u64>]) -> BTreeMap<usize, RowSelection> {
    let mut start = 0;
    let mut groups = BTreeMap::new();
    for (at, group) in file.metadata.metadata().row_groups().iter().enumerate() {
        let end = start + u64::try_from(group.num_rows()).unwrap_or(0);
        let selectors = selectors(ranges, start..end);
        if selectors.iter().any(|selector| !selector.skip) {
            groups.insert(at, RowSelection::from(selectors));
        }
        start = end;
    }
    groups
}

fn selectors(ranges: &[Range<u64>], group: Range<u64>) -> Vec<RowSelector> {
    let count = |rows: u64| usize::try_from(rows).unwrap_or(0);
    let mut at = group.start;
    let mut selectors = Vec::new();
    for range in ranges {
        let (start, end) = (range.start.max(at), range.end.min(group.end));
        if start < end {
            if start > at {
                selectors.push(RowSelector::skip(count(start - at)));
            }
            selectors.push(RowSelector::select(count(end - start)));
            at = end;
        }
    }
    selectors
}

/// The row group of the row that follows these, or of none.
pub(super) fn next_group(file: &ParquetFile, ranges: &[Range<u64>]) -> usize {
    let last = ranges.last().map_or(0, |range| range.end);
    let mut end = 0;
    let groups = file.metadata.metadata().row_groups().iter();
    let ends = groups.map(|group| {
        end += u64::try_from(group.num_rows()).unwrap_or(0);
        end
    });
    ends.take_while(|end| *end <= last).count()
}
