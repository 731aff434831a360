//! Small tables in memory, read and judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt as _, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::lake::{LakeError, random::Random, store::Retry};
use crate::verify::finding::Wrong;

const EPOCH: &str = "0123456789abcdef0123456789abcdef";
const NOW: Timestamp = Timestamp {
    unix_us: 1_800_000_000_000_000,
};

/// A row of `pod_usage`.
#[derive(Clone)]
struct Usage {
    seq: Option<i64>,
    pod: &'static str,
    sources: Vec<&'static str>,
    cpu_seconds: Option<f64>,
    bytes: Option<i64>,
}

fn usage(seq: i64) -> Usage {
    Usage {
        seq: Some(seq),
        pod: "pod",
        sources: vec!["name=api", "cpu=kernel", "network=kernel"],
        cpu_seconds: Some(0.1),
        bytes: Some(10),
    }
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn longs(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

fn times(rows: usize) -> ArrayRef {
    let times = TimestampMicrosecondArray::from(vec![NOW.unix_us - 3_600_000_000; rows]);
    Arc::new(times.with_timezone("UTC"))
}

fn usages(rows: &[Usage]) -> RecordBatch {
    let mut sources = ListBuilder::new(StringBuilder::new());
    for row in rows {
        sources.append_value(row.sources.iter().map(|source| Some(*source)));
    }
    let cpu: Float64Array = rows.iter().map(|row| row.cpu_seconds).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("node_name", texts(rows.iter().map(|_| Some("node")))),
        ("epoch", texts(rows.iter().map(|_| Some(EPOCH)))),
        ("seq", longs(rows.iter().map(|row| row.seq))),
        ("window_end", times(rows.len())),
        ("pod_id", texts(rows.iter().map(|row| Some(row.pod)))),
        ("sources", Arc::new(sources.finish())),
        ("cpu_seconds", Arc::new(cpu)),
        ("namespace", texts(rows.iter().map(|_| Some("not read")))),
    ];
    for name in rows::TRAFFIC {
        columns.push((name, longs(rows.iter().map(|row| row.bytes))));
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

/// The ledger's rows of batches from 1 on with so many rows of `pod_usage` each, all of them alike.
fn ledger(rows: &[i64]) -> RecordBatch {
    let count = rows.len();
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for name in ledger::columns() {
        let figure = |by_row: i64| longs(rows.iter().map(|rows| Some(rows * by_row)));
        let column = match name.as_str() {
            "node_name" => texts((0..count).map(|_| Some("node"))),
            "epoch" => texts((0..count).map(|_| Some(EPOCH))),
            "seq" => longs((1..).take(count).map(Some)),
            "boot_id" => texts((0..count).map(|_| Some("boot"))),
            "window_end" => times(count),
            "batch_kind" => texts((0..count).map(|_| Some("whole"))),
            "gap_reason" | "prev_epoch" => texts((0..count).map(|_| None)),
            "cpu_ns_total" | "cpu_ns_rows" => figure(100_000_000),
            "rows_pod_usage" => figure(1),
            "prev_last" => figure(0),
            name if name.ends_with("_total") || name.ends_with("_rows") => figure(10),
            _ => figure(0),
        };
        columns.push((name, column));
    }
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

struct Tables {
    store: Arc<InMemory>,
    live: Mutex<BTreeMap<Table, Vec<LiveFile>>>,
    asked: Mutex<Vec<Table>>,
}

#[async_trait]
impl Snapshots for Tables {
    async fn live(&self, table: Table) -> Result<Live, VerifyError> {
        self.asked.lock().unwrap().push(table);
        let files = self.live.lock().unwrap().get(&table).cloned();
        Ok(Live {
            kept_from: None,
            version: 7,
            files: files.unwrap_or_default(),
        })
    }
}

impl Tables {
    fn new() -> Self {
        Self {
            store: Arc::new(InMemory::new()),
            live: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    async fn add(&self, table: Table, rows: &RecordBatch) {
        self.add_grouped(table, rows, 1 << 20).await;
    }

    async fn add_grouped(&self, table: Table, rows: &RecordBatch, group: usize) {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(group))
            .set_dictionary_enabled(false)
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
        writer.write(rows).unwrap();
        writer.close().unwrap();
        let path = {
            let mut live = self.live.lock().unwrap();
            let files = live.entry(table).or_default();
            let path = Path::from(format!("{}/{}", table.name(), files.len()));
            files.push(LiveFile {
                path: path.clone(),
                size: bytes.len() as u64,
                rows: Some(rows.num_rows() as u64),
                modified: Timestamp::default(),
            });
            path
        };
        self.store
            .put(&path, PutPayload::from(bytes))
            .await
            .unwrap();
    }

    async fn judge(&self) -> Report {
        self.judge_in(1 << 30).await.unwrap()
    }

    async fn judge_in(&self, memory: u64) -> Result<Report, VerifyError> {
        let reading = Reading {
            store: &Store::new(
                Arc::<InMemory>::clone(&self.store),
                Retry::default(),
                Arc::new(Random::seeded(1)),
                Arc::default(),
            ),
            snapshots: self,
            rules: Rules {
                now: NOW,
                settle: Duration::from_secs(900),
            },
            memory,
            progress: &|_| {},
        };
        reading.judge().await
    }
}

#[tokio::test]
async fn right_tables_are_proved() {
    let tables = Tables::new();
    tables
        .add(Table::PodUsage, &usages(&[usage(1), usage(2)]))
        .await;
    tables.add(Table::PodUsage, &usages(&[usage(2)])).await;
    tables.add(Table::Reconcile, &ledger(&[1, 2])).await;
    let report = tables.judge().await;
    assert!(report.is_proved(), "{report}");
    assert_eq!((report.batches, report.balanced_windows), (2, 1));
    assert_eq!(report.rows["pod_usage"], 3);
    assert_eq!(report.versions["events"], 7);
    assert_eq!(
        *tables.asked.lock().unwrap(),
        [
            Table::Reconcile,
            Table::PodUsage,
            Table::PodNetwork,
            Table::NodeUsage,
            Table::Events
        ],
        "the ledger's snapshot comes first"
    );
}

#[tokio::test]
async fn rows_twice_and_rows_missing_are_found() {
    let tables = Tables::new();
    tables
        .add(Table::PodUsage, &usages(&[usage(1), usage(2)]))
        .await;
    tables.add(Table::PodUsage, &usages(&[usage(1)])).await;
    tables.add(Table::Reconcile, &ledger(&[1, 2])).await;
    let findings = tables.judge().await.findings.0;
    let kinds: Vec<Wrong> = findings.keys().copied().collect();
    assert_eq!(kinds, [Wrong::RowsMissing, Wrong::RowsTwice]);
}

/// More than one request's worth, several row groups, and only some columns of each.
#[tokio::test]
async fn large_files_are_read_in_parts() {
    let tables = Tables::new();
    let rows: Vec<Usage> = (0..40_000).map(|i| usage(i / 20_000 + 1)).collect();
    tables
        .add_grouped(Table::PodUsage, &usages(&rows), 7_000)
        .await;
    let size = tables.live.lock().unwrap()[&Table::PodUsage][0].size;
    assert!(size > 2 << 20, "{size} bytes");
    tables
        .add(Table::Reconcile, &ledger(&[20_000, 20_000]))
        .await;
    let report = tables.judge().await;
    assert!(report.is_proved(), "{report}");
    assert_eq!(report.rows["pod_usage"], 40_000);
}

#[tokio::test]
async fn figures_of_the_kubelet_and_of_no_row_are_not_in_the_sums() {
    let tables = Tables::new();
    let mut kubelet = usage(1);
    kubelet.sources = vec!["cpu=kubelet_stale", "network=kubelet"];
    let mut lost = usage(1);
    lost.pod = "unattributed";
    let mut silent = usage(1);
    (silent.cpu_seconds, silent.bytes) = (None, None);
    tables
        .add(Table::PodUsage, &usages(&[usage(1), kubelet, lost, silent]))
        .await;
    let mut batch = ledger(&[1]);
    let index = batch.schema().index_of("rows_pod_usage").unwrap();
    let mut columns = batch.columns().to_vec();
    columns[index] = longs([Some(4)]);
    batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
    tables.add(Table::Reconcile, &batch).await;
    let report = tables.judge().await;
    assert!(report.is_proved(), "{report}");
}

#[tokio::test]
async fn a_figure_that_was_changed_is_found() {
    for change in [
        |row: &mut Usage| row.bytes = Some(11),
        |row: &mut Usage| row.cpu_seconds = Some(0.100_000_002),
    ] {
        let tables = Tables::new();
        let mut changed = usage(1);
        change(&mut changed);
        tables.add(Table::PodUsage, &usages(&[changed])).await;
        tables.add(Table::Reconcile, &ledger(&[1])).await;
        let findings = tables.judge().await.findings.0;
        assert!(findings.contains_key(&Wrong::SumsDiffer), "{findings:?}");
    }
}

#[tokio::test]
async fn rows_without_a_seq_are_outside() {
    let tables = Tables::new();
    let mut posted = usage(1);
    posted.seq = None;
    tables
        .add(Table::PodUsage, &usages(&[usage(1), posted]))
        .await;
    tables.add(Table::Reconcile, &ledger(&[1])).await;
    let report = tables.judge().await;
    assert!(report.is_proved(), "{report}");
    assert_eq!((report.rows_outside, report.rows["pod_usage"]), (1, 1));
}

/// Little memory means more rounds, not another judgement.
#[tokio::test]
async fn little_memory_makes_no_difference() {
    let tables = Tables::new();
    tables
        .add(Table::PodUsage, &usages(&[usage(1), usage(2), usage(5)]))
        .await;
    tables.add(Table::Reconcile, &ledger(&[1, 1, 1])).await;
    let report = tables.judge().await;
    assert!(!report.is_proved());
    assert_eq!(tables.judge_in(1).await.unwrap(), report);
}

#[tokio::test]
async fn what_can_not_be_read_is_no_judgement() {
    let tables = Tables::new();
    tables.add(Table::Reconcile, &ledger(&[0])).await;
    let without = usages(&[usage(1)]).project(&[0, 1, 3]).unwrap();
    tables.add(Table::PodUsage, &without).await;
    let error = tables.judge_in(1 << 30).await.unwrap_err();
    assert_eq!(error.to_string(), "column seq of pod_usage/0 is missing");
    let path = tables.live.lock().unwrap()[&Table::PodUsage][0]
        .path
        .clone();
    tables
        .store
        .put(&path, PutPayload::from("no Parquet"))
        .await
        .unwrap();
    assert!(tables.judge_in(1 << 30).await.is_err());
    tables.store.delete(&path).await.unwrap();
    let error = tables.judge_in(1 << 30).await.unwrap_err();
    assert!(
        matches!(error, VerifyError::File(LakeError::Store { .. })),
        "{error}"
    );
}
