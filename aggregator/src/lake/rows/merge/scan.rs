//! Some columns of the rows of several files, workload by workload.

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use parquet::{arrow::ProjectionMask, file::metadata::PageIndexPolicy};
use protocol::Table;

use super::{
    units::{self, Unit},
    with_dictionaries,
};
use crate::lake::{LakeError, merge::Input, parquet_file::ParquetFile, store::Store};

/// See the module.
pub struct Scan {
    store: Store,
    files: Vec<ParquetFile>,
    units: VecDeque<Unit>,
    columns: &'static [&'static str],
}

impl Scan {
    /// Of these columns. Texts come as dictionaries, each text once.
    pub async fn new(
        store: &Store,
        table: Table,
        inputs: Vec<Input>,
        (columns, unit_rows): (&'static [&'static str], u64),
    ) -> Result<Self, LakeError> {
        let mut files = Vec::with_capacity(inputs.len());
        for Input { path, size } in inputs {
            let file = ParquetFile::open(store, (&path, size), PageIndexPolicy::Skip);
            files.push(with_dictionaries(file.await?)?);
        }
        let units = units::plan(store, table, &mut files, unit_rows).await?;
        Ok(Self {
            store: store.clone(),
            files,
            units: units.into(),
            columns,
        })
    }

    /// All rows of the next workloads: no others have rows of these.
    pub async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>, LakeError> {
        let Some(unit) = self.units.pop_front() else {
            return Ok(None);
        };
        let mut found = Vec::new();
        for (at, ranges) in &unit.parts {
            let Some(file) = self.files.get_mut(*at) else {
                continue;
            };
            let schema = file.metadata.metadata().file_metadata().schema_descr_ptr();
            let mask = ProjectionMask::columns(&schema, self.columns.iter().copied());
            for (group, selection) in units::groups(file, ranges) {
                let wanted = file.columns(group, &mask);
                file.fetch(&self.store, wanted).await?;
                let reader = file.reader(group).map_err(|error| file.damaged(error))?;
                let reader = reader
                    .with_projection(mask.clone())
                    .with_row_selection(selection)
                    .build();
                for batch in reader.map_err(|error| file.damaged(error))? {
                    found.push(batch.map_err(|error| file.damaged(error.into()))?);
                }
                file.forget();
            }
        }
        Ok(Some(found))
    }
}
