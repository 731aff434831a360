//! Which batches go into which file.

use std::{collections::BTreeMap, mem};

use bytes::Bytes;
use protocol::{Table, decode};

use super::{
    WriteError, WriteSettings,
    complete::complete,
    file::{EXPLAINED_ROWS, File, Style},
    input::{Input, Inputs},
    known::Known,
    order, time,
};
use crate::lake::encode::{Made, NewFile, Wanted};

/// Bytes of a file's texts, beside those of one more batch: numbers of texts stay far below what a
/// `u32` holds.
const TEXT_BYTES: usize = 256 << 20;

/// The rows of these batches for the tables that want them, each of them once, as files of one cluster
/// and one day. Each batch is decoded once: in memory it waits as it was sent.
pub fn write_files(wanted: &[Wanted], settings: &WriteSettings) -> Result<Made, WriteError> {
    let mut folders: BTreeMap<(&str, String), Vec<&Wanted>> = BTreeMap::new();
    for wanted in wanted {
        let batch = &wanted.batch;
        let folder = (&*batch.cluster, time::date(batch.window_end));
        folders.entry(folder).or_default().push(wanted);
    }
    let mut made = Made::default();
    for ((cluster, date), wanted) in folders {
        let partition = (cluster.to_owned(), date);
        let folder = |table| Folder::new(table, &partition, &wanted, settings);
        let mut folders = Table::ALL.map(folder);
        for wanted in wanted {
            add(wanted, &mut folders, settings)?;
        }
        for (folder, made) in folders.into_iter().zip(&mut made) {
            made.extend(folder.finish()?);
        }
    }
    Ok(made)
}

/// Decodes a batch, and gathers its rows for each table that wants them.
fn add(
    wanted: &Wanted,
    folders: &mut [Folder<'_>; Table::ALL.len()],
    settings: &WriteSettings,
) -> Result<(), WriteError> {
    let batch = &wanted.batch;
    let decoded = decode(&batch.frame, &settings.limits).map_err(|source| WriteError::Batch {
        node: batch.sender.node.to_string(),
        seq: batch.seq,
        source,
    })?;
    let mut rest = Table::ALL.map(|table| rows(table, wanted));
    for (table, input) in Input::all(decoded).filter(|(table, _)| wanted.is_for(*table)) {
        let rest = &mut rest[table as usize];
        *rest = rest.wrapping_sub(input.count() as u64);
        if *rest == 0 {
            folders[table as usize].push(input)?;
        }
    }
    match Table::ALL
        .into_iter()
        .find(|table| rest[*table as usize] != 0)
    {
        None => Ok(()),
        Some(table) => Err(WriteError::Rows {
            node: batch.sender.node.to_string(),
            seq: batch.seq,
            table: table.name(),
        }),
    }
}

/// Rows of a batch that a table wants. Each has one in the ledger, a gap no other.
fn rows(table: Table, wanted: &Wanted) -> u64 {
    match (table, &wanted.batch.gap) {
        _ if !wanted.is_for(table) => 0,
        (Table::Reconcile, _) => 1,
        (_, Some(_)) => 0,
        (_, None) => wanted.batch.rows[table],
    }
}

/// A table's files of one cluster and day: as few as the settings allow, all of about one size.
struct Folder<'a> {
    partition: &'a (String, String),
    /// Rows at which a file is closed. The last batch may go beyond.
    enough: u64,
    /// Rows that there is room for.
    room: usize,
    inputs: Inputs,
    known: &'a dyn Known,
    files: Vec<NewFile>,
}

impl<'a> Folder<'a> {
    /// For what these batches have for the table.
    fn new(
        table: Table,
        partition: &'a (String, String),
        wanted: &[&Wanted],
        settings: &'a WriteSettings,
    ) -> Self {
        let total: u64 = wanted.iter().map(|wanted| rows(table, wanted)).sum();
        let files = total.div_ceil(settings.file_rows.max(1)).max(1);
        let enough = total.div_ceil(files);
        let room = usize::try_from(enough.saturating_add(enough / 64)).unwrap_or(0);
        Self {
            partition,
            enough,
            room,
            inputs: Inputs::new(table, room),
            known: &*settings.known,
            files: Vec::new(),
        }
    }

    fn push(&mut self, input: Input) -> Result<(), WriteError> {
        self.inputs.push(input)?;
        if self.inputs.rows as u64 >= self.enough || self.inputs.pool.bytes() > TEXT_BYTES {
            self.close()?;
        }
        Ok(())
    }

    /// Makes a file of what was gathered.
    fn close(&mut self) -> Result<(), WriteError> {
        let next = Inputs::new(self.inputs.table, self.room);
        let mut inputs = mem::replace(&mut self.inputs, next);
        complete(&mut inputs, self.known);
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

    fn finish(mut self) -> Result<Vec<NewFile>, WriteError> {
        if self.inputs.rows > 0 {
            self.close()?;
        }
        Ok(self.files)
    }
}

/// One file of all of these rows, and its statistics.
pub fn build(inputs: Inputs) -> Result<(Bytes, String), WriteError> {
    let style = Style {
        explains: inputs.rows >= EXPLAINED_ROWS,
        ..Style::FAST
    };
    let mut file = File::new(Vec::new(), inputs.table, &style)?;
    let order = order::order(&inputs);
    file.group(inputs, &order)?;
    let (bytes, stats) = file.close()?;
    Ok((bytes.into(), stats))
}

/// The order of the rows in a file of all of them, the rows being those of the batches one after the
/// other.
pub fn sort(inputs: &Inputs) -> Vec<u32> {
    order::order(inputs)
}
