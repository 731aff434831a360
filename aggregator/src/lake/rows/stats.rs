//! Statistics of a file as the log of its table holds them, from those that its encoders kept.

use parquet::file::{
    metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData},
    statistics::Statistics,
};
use protocol::{Column, Kind};
use serde_json::{Map, Value, json};

use super::time;

/// Columns that queries look for rows by. More of them would only make the log longer.
const COLUMNS: [&str; 10] = [
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

/// `add.stats` of a file of one row group.
pub fn stats(columns: &[Column], file: &ParquetMetaData) -> String {
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    let chunks = file.row_groups().iter().flat_map(RowGroupMetaData::columns);
    for (column, chunk) in columns.iter().zip(chunks) {
        if !COLUMNS.contains(&column.name) {
            continue;
        }
        if let Some((low, high)) = bounds(column.kind, chunk) {
            least.insert(column.name.to_owned(), low);
            greatest.insert(column.name.to_owned(), high);
        }
        let count = chunk.statistics().and_then(Statistics::null_count_opt);
        if let Some(count) = count {
            nulls.insert(column.name.to_owned(), json!(count));
        }
    }
    let stats = json!({
        "numRecords": file.file_metadata().num_rows(),
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    });
    stats.to_string()
}

/// Least and greatest value of a column, if there are any.
fn bounds(kind: Kind, chunk: &ColumnChunkMetaData) -> Option<(Value, Value)> {
    match (chunk.statistics()?, kind) {
        (Statistics::ByteArray(values), _) => {
            let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|text| json!(text));
            Some((
                text(values.min_bytes_opt()?)?,
                text(values.max_bytes_opt()?)?,
            ))
        }
        (Statistics::Int64(values), Kind::Time) => {
            let low = time::millis(*values.min_opt()?, false);
            Some((json!(low), json!(time::millis(*values.max_opt()?, true))))
        }
        (Statistics::Int64(values), _) => {
            Some((json!(values.min_opt()?), json!(values.max_opt()?)))
        }
        _ => None,
    }
}
