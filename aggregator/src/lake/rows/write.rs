//! Which batches go into which file.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{Table, decode};

use super::{
    WriteError, WriteSettings, file,
    input::{Input, Inputs},
    order,
    stats::stats,
    time,
};
use crate::{held::Held, lake::encode::NewFile};

/// Bytes of a file's texts, beside those of one more batch: numbers of texts stay far below what a
/// `u32` holds.
const TEXT_BYTES: usize = 256 << 20;

/// The rows of these batches for one table, each of them once, as files of one cluster and one day.
pub fn write_files(
    table: Table,
    batches: &[Held],
    settings: &WriteSettings,
) -> Result<Vec<NewFile>, WriteError> {
    let mut folders: BTreeMap<(&str, String), Vec<&Held>> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| rows(table, batch) > 0) {
        let folder = (&*batch.cluster, time::date(batch.window_end));
        folders.entry(folder).or_default().push(batch);
    }
    let mut files = Vec::new();
    for ((cluster, date), batches) in folders {
        let mut folder = Folder {
            table,
            partition: (cluster.to_owned(), date),
            files: &mut files,
        };
        folder.write(&batches, settings)?;
    }
    Ok(files)
}

/// Rows that a batch has in a table. Each has one in the ledger, a gap no other.
fn rows(table: Table, batch: &Held) -> u64 {
    match (table, &batch.gap) {
        (Table::Reconcile, _) => 1,
        (_, Some(_)) => 0,
        (_, None) => batch.rows[table],
    }
}

/// Files of one cluster and day.
struct Folder<'a> {
    table: Table,
    partition: (String, String),
    files: &'a mut Vec<NewFile>,
}

impl Folder<'_> {
    /// As few files as the settings allow, all of about one size.
    fn write(&mut self, batches: &[&Held], settings: &WriteSettings) -> Result<(), WriteError> {
        let total: u64 = batches.iter().map(|batch| rows(self.table, batch)).sum();
        let most = settings.file_rows.max(1);
        let files = total.div_ceil(most).max(1);
        let enough = total.div_ceil(files);
        // The last batch may go beyond.
        let room = usize::try_from(enough.saturating_add(enough / 64)).unwrap_or(0);
        let mut inputs = Inputs::new(self.table, room);
        for batch in batches {
            inputs.push(self.read(batch, settings)?)?;
            if inputs.rows as u64 >= enough || inputs.pool.bytes() > TEXT_BYTES {
                let whole = std::mem::replace(&mut inputs, Inputs::new(self.table, room));
                self.finish(whole)?;
            }
        }
        match inputs.rows {
            0 => Ok(()),
            _ => self.finish(inputs),
        }
    }

    fn finish(&mut self, inputs: Inputs) -> Result<(), WriteError> {
        let rows = inputs.rows as u64;
        let (bytes, stats) = build(inputs)?;
        self.files.push(NewFile {
            partition: self.partition.clone(),
            bytes,
            rows,
            stats,
        });
        Ok(())
    }

    /// Decodes a batch once more: in memory it waits as it was sent.
    fn read(&self, batch: &Held, settings: &WriteSettings) -> Result<Input, WriteError> {
        let of_batch = || (batch.sender.node.to_string(), batch.seq);
        let decoded = decode(&batch.frame, &settings.limits).map_err(|source| {
            let (node, seq) = of_batch();
            WriteError::Batch { node, seq, source }
        })?;
        let input = Input::of(decoded, self.table);
        match input {
            Some(input) if input.count() as u64 == rows(self.table, batch) => Ok(input),
            _ => {
                let (node, seq) = of_batch();
                let table = self.table.name();
                Err(WriteError::Rows { node, seq, table })
            }
        }
    }
}

/// One file of all of these rows, and its statistics.
pub fn build(inputs: Inputs) -> Result<(Bytes, String), WriteError> {
    let columns = inputs.table.columns();
    let (bytes, metadata) = file::write(inputs)?;
    Ok((bytes, stats(columns, &metadata)))
}

/// The place of each row in a file of all of them, the rows being those of the batches one after the
/// other.
pub fn sort(inputs: &Inputs) -> Vec<u32> {
    order::places(inputs)
}
