//! Files of batches that cost little: a line for each batch. What a commit does with files does not
//! depend on what is in them, and most worlds are there for the commit.

use std::collections::BTreeMap;

use aggregator::{
    held::Held,
    lake::encode::{Encode, EncodeError, Made, NewFile, Wanted},
};
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
        let mut days: BTreeMap<i64, (String, u64)> = BTreeMap::new();
        for held in batches {
            let batch = protocol::decode(&held.frame, &Limits::default())?;
            let (line, rows) = line(table, &batch)?;
            let day = held.window_end.unix_us / (24 * 3600 * 1_000_000);
            let (text, count) = days.entry(day).or_default();
            text.push_str(&line.to_string());
            text.push('\n');
            *count += rows;
        }
        let file = |(day, (text, rows)): (i64, (String, u64))| NewFile {
            partition: ("chaos".to_owned(), day.to_string()),
            bytes: text.into(),
            rows,
            stats: json!({ "numRecords": rows }).to_string(),
        };
        Ok(days.into_iter().map(file).collect())
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
