//! Tables as any reader sees them: the JSON entries of a Delta log, and the Parquet files that they
//! name. Nothing of the aggregator's own reading is used, so that one mistake can't hide another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use arrow_array::{Array as _, Int64Array, RecordBatch, StringArray, cast::AsArray as _};
use bytes::Bytes;
use object_store::path::Path;
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};
use serde_json::Value;

use crate::chaos::store::bucket::Bucket;

/// What is wrong with a table.
#[derive(Debug)]
pub struct Wrong(pub String);

impl<E: fmt::Display> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A batch in a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose.
    pub node: String,
    /// Drawn at a start.
    pub epoch: String,
    /// Number in the epoch.
    pub seq: u64,
}

/// Rows of one batch in one table or file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: u64,
    /// Sum of the column that tells units.
    pub units: i64,
    /// What the ledger says of the batch.
    pub ledger: Option<Ledger>,
}

/// What a row of the ledger says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// No rows are behind it.
    pub is_gap: bool,
    /// Rows of each other table.
    pub rows: [u64; 4],
    /// With seq 1: the epoch before, and its last seq.
    pub previous: Option<(String, u64)>,
}

impl Rows {
    fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.units += more.units;
        if self.ledger.is_none() {
            self.ledger.clone_from(&more.ledger);
        }
    }

    fn take(&mut self, less: &Self) {
        self.count = self.count.saturating_sub(less.count);
        self.units -= less.units;
    }
}

/// A table up to one version of its log; grows with the log.
#[derive(Clone, Debug, Default)]
pub struct Table {
    name: &'static str,
    folder: Path,
    /// Entries that were read.
    pub entries: u64,
    /// Number of its watermark.
    pub watermark: u64,
    /// What each live file holds.
    pub files: BTreeMap<String, BTreeMap<Key, Rows>>,
    /// The sums over all live files.
    pub rows: BTreeMap<Key, Rows>,
}

/// Columns of the units, and of what the ledger says.
const UNITS: [(&str, &str); 4] = [
    ("pod_usage", "net_tx_bytes_delta"),
    ("pod_network", "tx_bytes_delta"),
    ("node_usage", "nic_tx_bytes"),
    ("reconcile", "net_tx_bytes_total"),
];
const COUNTS: [&str; 4] = [
    "rows_pod_usage",
    "rows_pod_network",
    "rows_node_usage",
    "rows_events",
];

/// The column of a table that tells units, if there is one.
pub fn units(table: &str) -> Option<&'static str> {
    let found = UNITS.iter().find(|(name, _)| *name == table);
    found.map(|(_, column)| *column)
}

impl Table {
    /// Nothing is read yet.
    pub fn new(prefix: &Path, name: &'static str) -> Self {
        Self {
            name,
            folder: prefix.clone().join(name),
            ..Self::default()
        }
    }

    /// Reads what is new.
    pub fn read(&mut self, bucket: &Bucket) -> Result<(), Wrong> {
        let (mut lines, mut gone) = (Vec::new(), BTreeSet::new());
        while let Some(entry) = bucket.get(&self.entry(self.entries)) {
            for line in serde_json::Deserializer::from_slice(&entry.bytes).into_iter::<Value>() {
                let line = line?;
                gone.extend(line["remove"]["path"].as_str().map(str::to_owned));
                lines.push(line);
            }
            self.entries += 1;
        }
        // Whoever looks at last versions only never sees a file that came and went in between.
        let is_unseen = |line: &Value| {
            let path = line["add"]["path"].as_str();
            path.is_some_and(|path| gone.contains(path) && bucket.get(&self.file(path)).is_none())
        };
        lines.retain(|line| !is_unseen(line));
        lines.iter().try_for_each(|line| self.apply(line, bucket))
    }

    /// Whether the log goes on, though its next entry is not there.
    pub fn is_cut_off(&self, bucket: &Bucket) -> bool {
        let next = self.entry(self.entries);
        let log = bucket.list(&self.folder.clone().join("_delta_log"));
        let is_later = |path: &Path| *path > next && path.extension() == Some("json");
        log.iter().any(|object| is_later(&object.location))
    }

    fn entry(&self, version: u64) -> Path {
        let name = format!("{version:020}.json");
        self.folder.clone().join("_delta_log").join(name)
    }

    fn apply(&mut self, line: &Value, bucket: &Bucket) -> Result<(), Wrong> {
        if line["txn"]["appId"] == "podledger/wm" {
            self.watermark = line["txn"]["version"].as_u64().unwrap_or_default();
        }
        if let Some(path) = line["remove"]["path"].as_str() {
            let gone = self.files.remove(path).unwrap_or_default();
            for (key, rows) in gone {
                self.rows.entry(key).or_default().take(&rows);
            }
            self.rows.retain(|_, rows| rows.count > 0);
        }
        let Some(path) = line["add"]["path"].as_str() else {
            return Ok(());
        };
        let object = bucket.get(&self.file(path));
        let object = object.ok_or_else(|| Wrong(format!("I6: {path} is named, but not there")))?;
        if line["add"]["size"] != object.bytes.len() {
            return Err(Wrong(format!("{path} has not the size that the log names")));
        }
        let rows = self.contents(object.bytes)?;
        for (key, rows) in &rows {
            self.rows.entry(key.clone()).or_default().add(rows);
        }
        match self.files.insert(path.to_owned(), rows) {
            Some(_) => Err(Wrong(format!("{path} is added twice"))),
            None => Ok(()),
        }
    }

    /// Files that the log names and that are not there any more.
    pub fn missing<'a>(&'a self, bucket: &'a Bucket) -> impl Iterator<Item = &'a str> {
        let gone = |path: &&String| bucket.get(&self.file(path)).is_none();
        self.files.keys().filter(gone).map(String::as_str)
    }

    fn file(&self, path: &str) -> Path {
        Path::parse(format!("{}/{path}", self.folder)).unwrap_or_default()
    }

    fn contents(&self, bytes: Bytes) -> Result<BTreeMap<Key, Rows>, Wrong> {
        if !bytes.starts_with(b"PAR1") {
            return lines(&bytes);
        }
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let units = units(self.name);
        let mut columns = vec!["node_name", "epoch", "seq"];
        columns.extend(units);
        if self.name == "reconcile" {
            columns.extend(COUNTS);
            columns.extend(["batch_kind", "prev_epoch", "prev_last"]);
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let mut found: BTreeMap<Key, Rows> = BTreeMap::new();
        for batch in builder.with_projection(mask).build()? {
            let batch = batch?;
            if batch.num_columns() != columns.len() {
                return Err(Wrong(format!("{} lacks columns of {columns:?}", self.name)));
            }
            for (key, rows) in rows(&batch, units)? {
                found.entry(key).or_default().add(&rows);
            }
        }
        Ok(found)
    }
}

/// Of a file that is made of lines.
fn lines(bytes: &[u8]) -> Result<BTreeMap<Key, Rows>, Wrong> {
    let mut found: BTreeMap<Key, Rows> = BTreeMap::new();
    for line in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let line = line?;
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let key = Key {
            node: text("node_name").unwrap_or_default(),
            epoch: text("epoch").unwrap_or_default(),
            seq: line["seq"].as_u64().unwrap_or_default(),
        };
        let ledger = Ledger {
            is_gap: line["batch_kind"] == "gap",
            rows: COUNTS.map(|name| line[name].as_u64().unwrap_or_default()),
            previous: text("prev_epoch").zip(line["prev_last"].as_u64()),
        };
        let rows = Rows {
            count: line["count"].as_u64().unwrap_or_default(),
            units: line["units"].as_i64().unwrap_or_default(),
            ledger: Some(ledger),
        };
        found.entry(key).or_default().add(&rows);
    }
    Ok(found)
}

fn rows(batch: &RecordBatch, units: Option<&str>) -> Result<Vec<(Key, Rows)>, Wrong> {
    let (nodes, epochs) = (texts(batch, "node_name")?, texts(batch, "epoch")?);
    let seqs = longs(batch, "seq")?;
    let units = units.map(|column| longs(batch, column)).transpose()?;
    let is_ledger = batch.column_by_name("batch_kind").is_some();
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let key = Key {
            node: nodes.value(row).to_owned(),
            epoch: epochs.value(row).to_owned(),
            seq: u64::try_from(seqs.value(row))?,
        };
        let told = units.filter(|column| column.is_valid(row));
        let found = Rows {
            count: 1,
            units: told.map_or(0, |column| column.value(row)),
            ledger: is_ledger.then(|| ledger(batch, row)).transpose()?,
        };
        rows.push((key, found));
    }
    Ok(rows)
}

fn ledger(batch: &RecordBatch, row: usize) -> Result<Ledger, Wrong> {
    let kind = texts(batch, "batch_kind")?.value(row);
    let mut counts = [0; 4];
    for (count, column) in counts.iter_mut().zip(COUNTS) {
        let column = longs(batch, column)?;
        if column.is_valid(row) {
            *count = u64::try_from(column.value(row))?;
        }
    }
    let (epoch, last) = (texts(batch, "prev_epoch")?, longs(batch, "prev_last")?);
    let previous = match epoch.is_valid(row) {
        true => Some((epoch.value(row).to_owned(), u64::try_from(last.value(row))?)),
        false => None,
    };
    match kind {
        "whole" | "gap" => Ok(Ledger {
            is_gap: kind == "gap",
            rows: counts,
            previous,
        }),
        other => Err(Wrong(format!("a batch of the kind {other:?}"))),
    }
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, Wrong> {
    let column = batch
        .column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| Wrong(format!("the column {name} is no text")))
}

fn longs<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, Wrong> {
    let column = batch
        .column_by_name(name)
        .and_then(|column| column.as_primitive_opt());
    column.ok_or_else(|| Wrong(format!("the column {name} is no number")))
}
