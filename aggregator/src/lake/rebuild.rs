//! A watermark that is lost, from the rows of its table: the highest seq of each node and epoch.
//!
//! It may be lower than the lost one where a batch had no rows for the table. That does no harm: there is
//! nothing of such a batch to be committed twice.

use arrow_array::{Array as _, Int64Array, RecordBatch, StringArray, cast::AsArray as _};
use object_store::path::Path;
use protocol::Timestamp;

use super::{
    LakeError,
    log::{Detail, Log, Snapshot, name},
    parquet_file,
    store::Store,
};
use crate::{
    held::Sender,
    intake::{Mark, Watermark},
};

const COLUMNS: [&str; 3] = ["node_name", "epoch", "seq"];

/// The table's newest state, without its files, and its watermark. All senders count as alive `now`.
pub(super) async fn rebuild(
    store: &Store,
    table: &Path,
    now: Timestamp,
) -> Result<(Snapshot, Watermark), LakeError> {
    let log = Log::new(store.clone(), table, Detail::Files);
    let mut snapshot = log.read(None).await?.unwrap_or_default();
    let mut marks = Watermark::new();
    for (named, file) in snapshot.files.take().unwrap_or_default() {
        let path =
            name::in_store(&named).and_then(|path| Path::parse(format!("{table}/{path}")).ok());
        let path = path.ok_or_else(|| LakeError::BadLog {
            table: table.to_string(),
            what: named,
            problem: "it can't be the name of a file".to_owned(),
        })?;
        parquet_file::read(store, (&path, file.size), &COLUMNS, |rows| {
            let Some(rows) = Rows::of(rows) else {
                return Err(LakeError::BadLog {
                    table: table.to_string(),
                    what: path.to_string(),
                    problem: "it tells no node, epoch and seq of its rows".to_owned(),
                });
            };
            rows.raise(&mut marks, now);
            Ok(())
        })
        .await?;
    }
    Ok((snapshot, marks))
}

struct Rows<'a> {
    nodes: &'a StringArray,
    epochs: &'a StringArray,
    seqs: &'a Int64Array,
}

impl<'a> Rows<'a> {
    fn of(rows: &'a RecordBatch) -> Option<Self> {
        let [nodes, epochs, seqs] = COLUMNS.map(|name| rows.column_by_name(name));
        Some(Self {
            nodes: nodes?.as_string_opt()?,
            epochs: epochs?.as_string_opt()?,
            seqs: seqs?.as_primitive_opt()?,
        })
    }

    /// Rows without all three came by another way, which has no seq.
    fn raise(&self, marks: &mut Watermark, now: Timestamp) {
        let mut last = None;
        for row in 0..self.seqs.len() {
            let is_there =
                self.nodes.is_valid(row) && self.epochs.is_valid(row) && self.seqs.is_valid(row);
            let key = (
                self.nodes.value(row),
                self.epochs.value(row),
                self.seqs.value(row),
            );
            // Rows of a batch mostly stand together.
            if !is_there || last.replace(key) == Some(key) {
                continue;
            }
            let (node, epoch, seq) = key;
            let (Ok(epoch), Ok(seq)) = (epoch.parse(), u64::try_from(seq)) else {
                continue;
            };
            let sender = Sender {
                node: node.into(),
                epoch,
            };
            let mark = marks.entry(sender).or_insert(Mark {
                seq,
                window_end: now,
            });
            mark.seq = mark.seq.max(seq);
        }
    }
}
