//! Statistics of a file as the log of its table holds them, from those that its encoders kept.

use parquet::file::{
    metadata::{ColumnChunkMetaData, RowGroupMetaData},
    statistics::Statistics,
};
use protocol::{Column, Kind};
use serde_json::{Map, Value, json};

use super::time;

/// Columns that queries look for rows by. More of them would only make the log longer.
const COLUMNS: [&str; 11] = [
    "timestamp",
    "cluster_id",
    "node_name",
    "epoch",
    "seq",
    "namespace",
    "pod_name",
    "pod_id",
    "window_start",
    "window_end",
    "batch_kind",
];

/// `add.stats` of a file.
pub fn stats(columns: &[Column], groups: &[RowGroupMetaData]) -> String {
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    let has_window = columns.iter().any(|column| column.name == "window_end");
    for (at, column) in columns.iter().enumerate() {
        let is_told_twice = has_window && column.name == "timestamp";
        if is_told_twice || !COLUMNS.contains(&column.name) {
            continue;
        }
        let chunks = || groups.iter().map(|group| group.column(at));
        if let Some((low, high)) = over_all(chunks()) {
            least.insert(column.name.to_owned(), low.told(column.kind, false));
            greatest.insert(column.name.to_owned(), high.told(column.kind, true));
        }
        let null = |chunk: &ColumnChunkMetaData| chunk.statistics()?.null_count_opt();
        let count: Option<u64> = chunks().map(null).sum();
        if let Some(count) = count {
            nulls.insert(column.name.to_owned(), json!(count));
        }
    }
    let stats = json!({
        "numRecords": groups.iter().map(RowGroupMetaData::num_rows).sum::<i64>(),
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    });
    stats.to_string()
}

/// A value that statistics tell of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound<'a> {
    Text(&'a str),
    Long(i64),
}

impl Bound<'_> {
    fn told(self, kind: Kind, is_greatest: bool) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Long(unix_us) if kind == Kind::Time => json!(time::millis(unix_us, is_greatest)),
            Self::Long(value) => json!(value),
        }
    }
}

/// Least and greatest value of a column's chunks, if it has any and all chunks tell theirs.
fn over_all<'a>(
    chunks: impl Iterator<Item = &'a ColumnChunkMetaData>,
) -> Option<(Bound<'a>, Bound<'a>)> {
    let mut all: Option<(Bound<'_>, Bound<'_>)> = None;
    for chunk in chunks {
        let statistics = chunk.statistics()?;
        if statistics.null_count_opt() == u64::try_from(chunk.num_values()).ok() {
            continue;
        }
        let (low, high) = bounds(statistics)?;
        let (least, greatest) = all.unwrap_or((low, high));
        all = Some((least.min(low), greatest.max(high)));
    }
    all
}

fn bounds(statistics: &Statistics) -> Option<(Bound<'_>, Bound<'_>)> {
    match statistics {
        Statistics::ByteArray(values) => {
            let text = |bytes| std::str::from_utf8(bytes).ok().map(Bound::Text);
            Some((
                text(values.min_bytes_opt()?)?,
                text(values.max_bytes_opt()?)?,
            ))
        }
        Statistics::Int64(values) => Some((
            Bound::Long(*values.min_opt()?),
            Bound::Long(*values.max_opt()?),
        )),
        _ => None,
    }
}
