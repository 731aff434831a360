//! Where the rows of each workload are in files that are sorted by workload.

use std::{collections::HashMap, ops::Range};

use arrow_array::{Array as _, DictionaryArray, RecordBatch, cast::AsArray as _, types::Int32Type};
use parquet::arrow::ProjectionMask;
use protocol::Table;

use super::super::{
    order,
    ranks::{self, Ranks},
    texts::{ABSENT, Pool, as_u32},
};
use crate::lake::{LakeError, parquet_file::ParquetFile, store::Store};

/// Rows of one workload that stand together in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Number of its key; see [`Runs::sorted`].
    key: u32,
    /// Which file.
    pub file: u32,
    /// Its first row there.
    start: u32,
    /// How many.
    len: u32,
}

impl Run {
    pub fn rows(&self) -> Range<u64> {
        let start = u64::from(self.start);
        start..start + u64::from(self.len)
    }
}

/// Texts of all columns that a table is sorted by, but for the time.
type Key = [u32; MOST_COLUMNS];

/// Columns of a key.
const MOST_COLUMNS: usize = 3;

/// See the module.
#[derive(Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    keys: Vec<Key>,
    numbers: HashMap<Key, u32>,
    pool: Pool,
}

/// The columns of a table's key.
fn columns(table: Table) -> &'static [&'static str] {
    let keys = order::keys(table);
    keys.get(..keys.len().saturating_sub(1).min(MOST_COLUMNS))
        .unwrap_or_default()
}

impl Runs {
    /// Finds those of a file.
    pub async fn read(
        &mut self,
        store: &Store,
        table: Table,
        (number, file): (u32, &mut ParquetFile),
    ) -> Result<(), LakeError> {
        let schema = file.metadata.metadata().file_metadata().schema_descr_ptr();
        let mask = ProjectionMask::columns(&schema, columns(table).iter().copied());
        let mut row = 0;
        for group in 0..file.metadata.metadata().num_row_groups() {
            let ranges = file.columns(group, &mask);
            file.fetch(store, ranges).await?;
            let reader = file.reader(group).map_err(|error| file.damaged(error))?;
            let reader = reader.with_projection(mask.clone()).build();
            for batch in reader.map_err(|error| file.damaged(error))? {
                let batch = batch.map_err(|error| file.damaged(error.into()))?;
                self.add(&batch, table, (number, row));
                row += as_u32(batch.num_rows());
            }
            file.forget();
        }
        Ok(())
    }

    fn add(&mut self, batch: &RecordBatch, table: Table, (file, first): (u32, u32)) {
        let columns: Vec<Option<Column<'_>>> = columns(table)
            .iter()
            .map(|name| Column::new(batch.column_by_name(name)?.as_dictionary_opt()?))
            .collect();
        let mut last: Option<[i32; MOST_COLUMNS]> = None;
        for row in 0..batch.num_rows() {
            let mut place = [-1; MOST_COLUMNS];
            for (place, column) in place.iter_mut().zip(&columns) {
                *place = column.as_ref().map_or(-1, |column| column.place(row));
            }
            if last.replace(place) == Some(place)
                && let Some(run) = self.runs.last_mut()
            {
                run.len += 1;
                continue;
            }
            let mut key = [ABSENT; MOST_COLUMNS];
            for ((key, column), place) in key.iter_mut().zip(&columns).zip(place) {
                if let Some(text) = column.as_ref().and_then(|column| column.text(place)) {
                    *key = self.pool.shared(text);
                }
            }
            let next = as_u32(self.keys.len());
            let number = *self.numbers.entry(key).or_insert(next);
            if number == next {
                self.keys.push(key);
            }
            let start = first + as_u32(row);
            match self.runs.last_mut() {
                // Of the batch before.
                Some(run)
                    if run.file == file && run.key == number && run.start + run.len == start =>
                {
                    run.len += 1;
                }
                _ => self.runs.push(Run {
                    key: number,
                    file,
                    start,
                    len: 1,
                }),
            }
        }
    }

    /// All of them in the order of their keys, and of each the number of its key.
    pub fn sorted(self) -> Vec<(u32, Run)> {
        let Self {
            mut runs,
            keys,
            pool,
            ..
        } = self;
        let texts: Vec<u32> = keys.iter().flatten().copied().collect();
        let texts = texts
            .into_iter()
            .filter(|text| *text != ABSENT)
            .collect::<Vec<_>>();
        let ranks = Ranks::new(&pool, ranks::distinct(&pool, &texts));
        // What is absent comes first.
        let rank = |text: u32| match text {
            ABSENT => 0,
            text => ranks.of(text).saturating_add(1),
        };
        let mut order: Vec<u32> = (0..as_u32(keys.len())).collect();
        order.sort_unstable_by_key(|key| keys.get(*key as usize).map(|key| key.map(rank)));
        let mut places = vec![0; keys.len()];
        for (place, key) in (0..).zip(order) {
            if let Some(slot) = places.get_mut(key as usize) {
                *slot = place;
            }
        }
        let place = |run: &Run| places.get(run.key as usize).copied().unwrap_or(0);
        runs.sort_unstable_by_key(|run| (place(run), run.file, run.start));
        runs.into_iter().map(|run| (place(&run), run)).collect()
    }
}

/// A column of texts.
struct Column<'a> {
    numbers: &'a DictionaryArray<Int32Type>,
    texts: &'a arrow_array::StringArray,
}

impl<'a> Column<'a> {
    fn new(numbers: &'a DictionaryArray<Int32Type>) -> Option<Self> {
        let texts = numbers.values().as_string_opt()?;
        Some(Self { numbers, texts })
    }

    /// Of a row's text in the dictionary, or -1.
    fn place(&self, row: usize) -> i32 {
        match self.numbers.is_valid(row) {
            true => self.numbers.keys().value(row),
            false => -1,
        }
    }

    fn text(&self, place: i32) -> Option<&'a str> {
        let place = usize::try_from(place).ok()?;
        (place < self.texts.len()).then(|| self.texts.value(place))
    }
}
