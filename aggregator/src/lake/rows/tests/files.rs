//! Batches as they are held, frames and all, into files by cluster and day.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    Counts, Epoch, Gap, GapReason, Header, PodUsage, Previous, Reconcile, Row, Table, Timestamp,
    encode_gap, encode_rows,
};

use super::{
    super::{WriteError, WriteSettings, write_files},
    random::START,
    value::{Value, read},
};
use crate::{
    enrich::{self, Keep as _, Kind, Objects},
    held::{Held, Sender},
    lake::encode::{Made, NewFile, Wanted},
};

const DAY: i64 = 24 * 3_600 * 1_000_000;

fn header(cluster: &str, seq: u64, end: i64) -> Header {
    Header {
        cluster: cluster.to_owned(),
        node: "node-1".to_owned(),
        boot_id: "boot".to_owned(),
        epoch: Epoch([7; 16]),
        seq,
        previous: (seq == 1).then_some(Previous {
            epoch: Epoch([6; 16]),
            last: 41,
        }),
        window_start: Timestamp {
            unix_us: end - 30_000_000,
        },
        window_end: Timestamp { unix_us: end },
    }
}

fn held(header: &Header, frame: Vec<u8>, rows: Counts, gap: Option<Gap>) -> Held {
    Held {
        sender: Sender {
            node: header.node.as_str().into(),
            epoch: header.epoch,
        },
        cluster: Arc::from(header.cluster.as_str()),
        seq: header.seq,
        previous: header.previous,
        window_end: header.window_end,
        rows,
        gap,
        frame: Bytes::from(frame),
    }
}

fn whole(header: &Header, pods: usize) -> Held {
    let pod = |at| {
        Row::PodUsage(PodUsage {
            timestamp: header.window_end,
            window_start: header.window_start,
            window_end: header.window_end,
            pod_id: format!("pod-{at}"),
            ..PodUsage::default()
        })
    };
    let mut rows: Vec<Row> = (0..pods).map(pod).collect();
    rows.push(Row::Reconcile(Reconcile {
        timestamp: header.window_end,
        window_start: header.window_start,
        window_end: header.window_end,
        rows_pod_usage: pods as i64,
        ..Reconcile::default()
    }));
    let mut counts = Counts::default();
    counts[Table::PodUsage] = pods as u64;
    counts[Table::Reconcile] = 1;
    held(header, encode_rows(header, &rows), counts, None)
}

fn gap(header: &Header) -> Held {
    let mut gap = Gap {
        reason: GapReason::SpoolAge,
        message: "older than 7 days".to_owned(),
        rows_lost: Counts::default(),
    };
    gap.rows_lost[Table::PodUsage] = 110;
    let mut counts = Counts::default();
    counts[Table::Reconcile] = 1;
    let frame = encode_gap(header, &gap);
    held(header, frame, counts, Some(gap))
}

/// All of their rows, for these tables.
fn wanted<'a>(tables: &'a [Table], batches: &'a [Held]) -> impl Iterator<Item = Wanted> + use<'a> {
    batches.iter().map(|batch| Wanted {
        batch: batch.clone(),
        tables: Table::ALL.map(|table| tables.contains(&table)),
    })
}

fn try_files(
    table: Table,
    batches: &[Held],
    settings: &WriteSettings,
) -> Result<Vec<NewFile>, WriteError> {
    let wanted: Vec<_> = wanted(&[table], batches).collect();
    let mut made = write_files(&wanted, settings)?;
    let files = std::mem::take(&mut made[table as usize]);
    assert!(made.iter().all(Vec::is_empty), "files that nobody wants");
    Ok(files)
}

fn files(table: Table, batches: &[Held]) -> Vec<NewFile> {
    try_files(table, batches, &WriteSettings::default()).unwrap()
}

/// Value of a column in a row.
fn of<'a>(table: Table, row: &'a [Value], name: &str) -> &'a Value {
    let mut columns = table.columns().iter();
    &row[columns.position(|column| column.name == name).unwrap()]
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn rows_go_to_the_folder_of_their_cluster_and_day() {
    let batches = [
        whole(&header("a", 1, START), 3),
        whole(&header("a", 2, START - 1), 2),
        whole(&header("b", 3, START + DAY), 4),
        whole(&header("a", 4, START + DAY - 1), 5),
        whole(&header("b", 5, START), 0),
    ];
    let files = files(Table::PodUsage, &batches);
    let found: Vec<_> = files
        .iter()
        .map(|file| {
            (
                file.partition.0.as_str(),
                file.partition.1.as_str(),
                file.rows,
            )
        })
        .collect();
    let expected = [
        ("a", "2025-12-31", 2),
        ("a", "2026-01-01", 8),
        ("b", "2026-01-02", 4),
    ];
    assert_eq!(found, expected);
    for file in &files {
        assert_eq!(read(&file.bytes).len() as u64, file.rows);
    }
}

#[test]
fn rows_are_completed_with_what_is_known_when_their_file_is_made() {
    let objects = Objects::new(enrich::Settings::default());
    let settings = WriteSettings {
        known: objects.clone(),
        ..WriteSettings::default()
    };
    let batches = [whole(&header("a", 1, START), 3)];
    let namespaces = || {
        let files = try_files(Table::PodUsage, &batches, &settings).unwrap();
        let rows = read(&files[0].bytes);
        let namespace = |row: &Vec<Value>| of(Table::PodUsage, row, "namespace").clone();
        rows.iter().map(namespace).collect::<Vec<_>>()
    };
    assert_eq!(namespaces(), [Value::Absent, Value::Absent, Value::Absent]);
    let pod = r#"{"metadata":{"uid":"pod-1","namespace":"shop","name":"web"}}"#;
    objects.put(Kind::Pods, pod).unwrap();
    assert_eq!(
        namespaces(),
        [Value::Absent, Value::Absent, text("shop")],
        "sorted by what it is now"
    );
}

#[test]
fn each_batch_has_all_of_its_rows_in_files_of_bounded_size() {
    let batches: Vec<Held> = (1..=40)
        .map(|seq| whole(&header("a", seq, START), (seq % 7) as usize))
        .collect();
    let settings = WriteSettings {
        file_rows: 30,
        ..WriteSettings::default()
    };
    let files = try_files(Table::PodUsage, &batches, &settings).unwrap();
    assert!(files.len() >= 4, "{} files", files.len());
    assert!(files.iter().all(|file| file.rows < 30 + 7));
    let rows: Vec<_> = files.iter().flat_map(|file| read(&file.bytes)).collect();
    for seq in 1..=40 {
        let is_of = |row: &&Vec<Value>| *of(Table::PodUsage, row, "seq") == Value::Long(seq);
        let count = rows.iter().filter(is_of).count();
        assert_eq!(count, (seq % 7) as usize, "rows of batch {seq}");
    }
}

#[test]
fn the_ledger_has_one_row_of_every_batch() {
    let batches = [
        whole(&header("a", 1, START), 3),
        gap(&header("a", 2, START + 30_000_000)),
        whole(&header("a", 3, START + 60_000_000), 0),
    ];
    let files = files(Table::Reconcile, &batches);
    assert_eq!(files.len(), 1);
    let rows = read(&files[0].bytes);
    let column = |name| -> Vec<Value> {
        let value = |row: &Vec<Value>| of(Table::Reconcile, row, name).clone();
        rows.iter().map(value).collect()
    };
    let longs = |values: [i64; 3]| values.map(Value::Long).to_vec();
    let first = |value: Value| vec![value, Value::Absent, Value::Absent];
    let second = |value: Value| vec![Value::Absent, value, Value::Absent];
    assert_eq!(column("seq"), longs([1, 2, 3]));
    assert_eq!(column("batch_kind"), ["whole", "gap", "whole"].map(text));
    assert_eq!(column("prev_epoch"), first(text(&"06".repeat(16))));
    assert_eq!(column("prev_last"), first(Value::Long(41)));
    assert_eq!(column("gap_reason"), second(text("spool_age")));
    assert_eq!(column("gap_message"), second(text("older than 7 days")));
    assert_eq!(column("rows_lost_pod_usage"), second(Value::Long(110)));
    assert_eq!(column("rows_lost_events"), second(Value::Long(0)));
    assert_eq!(column("rows_pod_usage"), longs([3, 0, 0]));
    assert_eq!(column("boot_id"), ["boot"; 3].map(text));
    let ends = [START, START + 30_000_000, START + 60_000_000];
    assert_eq!(column("window_end"), longs(ends));
    assert_eq!(column("timestamp"), longs(ends));
    assert_eq!(column("cpu_ns_total")[1], Value::Absent);
    assert_eq!(column("cpu_ns_total")[0], Value::Long(0));
}

#[test]
fn a_gap_is_in_no_other_table() {
    let batches = [gap(&header("a", 2, START))];
    for table in Table::ALL {
        let files = files(table, &batches);
        assert_eq!(files.is_empty(), table != Table::Reconcile);
    }
}

#[test]
fn the_published_time_is_a_text_without_needless_fraction() {
    let batches = [
        whole(&header("a", 1, START), 1),
        whole(&header("a", 2, START + 30_000_250), 1),
    ];
    let files = files(Table::PodUsage, &batches);
    let rows = read(&files[0].bytes);
    let times: Vec<&Value> = rows
        .iter()
        .map(|row| of(Table::PodUsage, row, "timestamp"))
        .collect();
    let expected = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:30.000250Z"].map(text);
    assert_eq!(times, expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_batch_that_is_not_what_was_checked_makes_no_file() {
    let settings = WriteSettings::default();
    let mut batch = whole(&header("a", 1, START), 3);
    batch.rows[Table::PodUsage] = 4;
    let error = try_files(Table::PodUsage, &[batch.clone()], &settings).unwrap_err();
    assert!(matches!(error, WriteError::Rows { seq: 1, .. }), "{error}");
    batch.frame = Bytes::from_static(b"damaged");
    let error = try_files(Table::PodUsage, &[batch], &settings).unwrap_err();
    assert!(matches!(error, WriteError::Batch { seq: 1, .. }), "{error}");
}

#[test]
fn each_table_gets_the_rows_that_it_wants() {
    let batches: Vec<Held> = (1..=9)
        .map(|seq| whole(&header("a", seq, START), seq as usize))
        .collect();
    let (usage, both) = (&[Table::PodUsage], &[Table::PodUsage, Table::Reconcile]);
    let ledger = wanted(&[Table::Reconcile], &batches[..2]);
    let lists = ledger
        .chain(wanted(both, &batches[2..6]))
        .chain(wanted(usage, &batches[6..]));
    let lists: Vec<_> = lists.collect();
    let made = write_files(&lists, &WriteSettings::default()).unwrap();
    assert_eq!(seqs(Table::Reconcile, &made), [1, 2, 3, 4, 5, 6]);
    let expected: Vec<i64> = (3..=9).flat_map(|seq| vec![seq; seq as usize]).collect();
    assert_eq!(seqs(Table::PodUsage, &made), expected);
    assert!(made[Table::NodeUsage as usize].is_empty());
}

/// The seq of each row of a table, sorted.
fn seqs(table: Table, made: &Made) -> Vec<i64> {
    let rows = made[table as usize].iter();
    let rows = rows.flat_map(|file| read(&file.bytes));
    let seq = |row: Vec<Value>| match of(table, &row, "seq") {
        Value::Long(seq) => *seq,
        other => panic!("{other:?} is no seq"),
    };
    let mut seqs: Vec<i64> = rows.map(seq).collect();
    seqs.sort_unstable();
    seqs
}
