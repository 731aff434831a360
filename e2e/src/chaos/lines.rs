//! Files of batches that cost little: a line for each batch. What a commit does with files does not
//! depend on what is in them, and most worlds are there for the commit.

use std::collections::BTreeMap;

use aggregator::{
    held::Held,
    lake::{
        LakeError,
        encode::{Encode, EncodeError, Made, NewFile, Wanted},
        merge::{Input, Merge, Merged, Merging},
        store::Store,
    },
};
use async_trait::async_trait;
use protocol::{
    Batch, Body, Limits, Table,
    columns::{TableData, Values},
};
use serde_json::{Value, json};

/// See the module.
pub struct Lines;

impl Encode for Lines {
    fn schema(&self, _: Table) -> String {
        json!({ "type": "struct", "fields": [] }).to_string()
    }

    fn files(&self, wanted: &[Wanted]) -> Result<Made, EncodeError> {
        let mut made = Made::default();
        for table in Table::ALL {
            let wanted = wanted.iter().filter(|wanted| wanted.is_for(table));
            made[table as usize] = self.of(table, wanted.map(|wanted| &wanted.batch))?;
        }
        Ok(made)
    }
}

impl Lines {
    fn of<'a>(
        &self,
        table: Table,
        batches: impl Iterator<Item = &'a Held>,
    ) -> Result<Vec<NewFile>, EncodeError> {
        let mut days: BTreeMap<i64, Day> = BTreeMap::new();
        for held in batches {
            let batch = protocol::decode(&held.frame, &Limits::default())?;
            let (line, rows) = line(table, &batch)?;
            let day = held.window_end.unix_us / (24 * 3600 * 1_000_000);
            let day = days.entry(day).or_default();
            day.text.push_str(&line.to_string());
            day.text.push('\n');
            day.rows += rows;
            let end = held.window_end.to_string();
            day.first = Some(
                day.first
                    .take()
                    .map_or_else(|| end.clone(), |first| first.min(end.clone())),
            );
            day.last = day.last.take().max(Some(end));
        }
        let file = |(number, day): (i64, Day)| NewFile {
            partition: ("chaos".to_owned(), number.to_string()),
            rows: day.rows,
            stats: stats(day.rows, day.first.as_deref(), day.last.as_deref()),
            bytes: day.text.into(),
        };
        Ok(days.into_iter().map(file).collect())
    }
}

/// A file in the making.
#[derive(Default)]
struct Day {
    text: String,
    rows: u64,
    first: Option<String>,
    last: Option<String>,
}

fn stats(rows: u64, first: Option<&str>, last: Option<&str>) -> String {
    let stats = json!({
        "numRecords": rows,
        "minValues": { "window_end": first },
        "maxValues": { "window_end": last },
    });
    stats.to_string()
}

/// Makes one file of several by putting their lines one after the other.
pub struct MergeLines;

#[async_trait]
impl Merge for MergeLines {
    async fn begin(
        &self,
        store: &Store,
        _: Table,
        inputs: Vec<Input>,
    ) -> Result<Box<dyn Merging>, LakeError> {
        let (mut pieces, mut rows) = (Vec::new(), 0);
        for input in inputs {
            let bytes = store.get(&input.path).await?.unwrap_or_default();
            let lines = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
            rows += lines
                .flatten()
                .map(|line| line["count"].as_u64().unwrap_or_default())
                .sum::<u64>();
            pieces.push(bytes);
        }
        let merged = Merged {
            pieces,
            rows,
            stats: stats(rows, Some(FIRST), Some(FIRST)),
        };
        Ok(Box::new(MergedLines(Some(merged))))
    }
}

/// All that was merged counts as of the same old time: it is merged again with whatever comes.
const FIRST: &str = "2000-01-01T00:00:00Z";

struct MergedLines(Option<Merged>);

#[async_trait]
impl Merging for MergedLines {
    async fn next(&mut self) -> Result<Option<Merged>, LakeError> {
        Ok(self.0.take())
    }
}

fn line(table: Table, batch: &Batch) -> Result<(Value, u64), EncodeError> {
    let header = &batch.header;
    let mut line = json!({
        "node_name": header.node,
        "epoch": header.epoch.to_string(),
        "seq": header.seq,
        "prev_epoch": header.previous.map(|previous| previous.epoch.to_string()),
        "prev_last": header.previous.map(|previous| previous.last),
    });
    let data = match &batch.body {
        Body::Gap(_) if table == Table::Reconcile => {
            line["batch_kind"] = "gap".into();
            line["count"] = 1.into();
            return Ok((line, 1));
        }
        Body::Gap(_) => return Err("a gap has no rows here".into()),
        Body::Whole(tables) => tables,
    };
    let of = |table: Table| data.iter().find(|data| data.table == table);
    let found = of(table).ok_or("a batch without rows for this table")?;
    line["batch_kind"] = "whole".into();
    line["count"] = found.rows.into();
    line["units"] = units(found).into();
    for other in Table::ALL {
        line[format!("rows_{}", other.name())] = of(other).map_or(0, |data| data.rows).into();
    }
    Ok((line, u64::try_from(found.rows)?))
}

/// The sum of the column that tells units.
fn units(data: &TableData) -> i64 {
    let name = super::check::delta::units(data.table.name());
    let mut columns = data.table.columns().iter();
    let column = columns.find(|column| Some(column.name) == name);
    let values = column.and_then(|column| data.columns.iter().find(|data| data.id == column.id));
    match values.map(|column| &column.values) {
        Some(Values::Longs(longs)) => longs.iter().sum(),
        _ => 0,
    }
}
