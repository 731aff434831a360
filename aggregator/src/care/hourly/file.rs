//! The file of an hour, and the traffic that its rows have beside their windows'.

use std::{collections::HashMap, ops::Range};

use arrow_array::RecordBatch;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use super::{
    NAME,
    cells::{Longs, Texts, Times},
    columns::{self, columns},
    hour::{Classes, Hours, Key},
};
use crate::lake::{LakeError, schema};

/// Of `pod_network`, what an hour is made of.
pub(super) const NETWORK: &[&str] = &[
    "node_name",
    "pod_id",
    "class",
    "window_end",
    "tx_bytes_delta",
    "rx_bytes_delta",
];

/// The file of an hour.
pub(super) struct HourFile {
    writer: ArrowWriter<Vec<u8>>,
    rows: usize,
}

impl HourFile {
    pub fn new() -> Result<Self, LakeError> {
        let level = ZstdLevel::try_new(3).map_err(broken)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .build();
        let schema = schema::arrow(columns());
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties));
        Ok(Self {
            writer: writer.map_err(broken)?,
            rows: 0,
        })
    }

    pub fn add(
        &mut self,
        mut hours: Hours,
        classes: &mut HashMap<Key, Classes>,
        start: i64,
    ) -> Result<(), LakeError> {
        for hour in &mut hours.list {
            let key = (hour.node_name.clone(), hour.pod_id.clone());
            hour.classes = classes.remove(&key).unwrap_or_default();
        }
        let mut rows: Vec<columns::Row<'_>> = hours
            .list
            .iter()
            .map(|hour| columns::Row { hour, start })
            .collect();
        rows.sort_unstable_by(|left, right| left.hour.key().cmp(&right.hour.key()));
        self.rows += rows.len();
        let batch = columns::batch(&rows).map_err(|error| broken(error.into()))?;
        self.writer.write(&batch).map_err(broken)
    }

    pub fn close(self) -> Result<(Vec<u8>, usize), LakeError> {
        let bytes = self.writer.into_inner().map_err(broken)?;
        Ok((bytes, self.rows))
    }
}

fn broken(error: ParquetError) -> LakeError {
    LakeError::Encode {
        table: NAME,
        source: error.into(),
    }
}

/// Adds the traffic of those rows of a batch whose windows end in this time, its begin not included.
pub(super) fn add_classes(
    classes: &mut HashMap<Key, Classes>,
    batch: &RecordBatch,
    time: &Range<i64>,
) {
    let [node, pod, class] = ["node_name", "pod_id", "class"].map(|name| Texts::new(batch, name));
    let end = Times::new(batch, "window_end");
    let bytes = ["tx_bytes_delta", "rx_bytes_delta"].map(|name| Longs::new(batch, name));
    for row in 0..batch.num_rows() {
        let is_in = end
            .at(row)
            .is_some_and(|end| end > time.start && end <= time.end);
        let (Some(node), Some(pod)) = (node.at(row), pod.at(row)) else {
            continue;
        };
        if !is_in {
            continue;
        }
        let classes = classes
            .entry((node.to_owned(), pod.to_owned()))
            .or_default();
        classes.is_told = true;
        let sums = match class.at(row) {
            Some("internet") => &mut classes.internet,
            Some("cross_zone") => &mut classes.cross_zone,
            _ => continue,
        };
        for (sum, bytes) in sums.iter_mut().zip(&bytes) {
            *sum = sum.saturating_add(bytes.at(row).unwrap_or(0));
        }
    }
}
