//! Reading logs that others wrote.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
    builder::{ListBuilder, MapBuilder, StringBuilder},
};
use arrow_schema::{Field, Schema};
use object_store::{ObjectStoreExt as _, memory::InMemory};
use parquet::arrow::ArrowWriter;

use super::{action::Add, *};
use crate::lake::{counters::Counters, random::Random, store::Retry};

/// A struct column that has a value in one row of `rows`, or in each row where the first field has.
fn column(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let nulls = fields[0].1.logical_nulls();
    let (names, arrays): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let field =
        |(name, array): (&&str, &ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let fields = names.iter().zip(&arrays).map(field).collect::<Vec<_>>();
    Arc::new(StructArray::new(fields.into(), arrays, nulls))
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

/// One row of protocol, one of metadata, then the txns, then the adds.
pub(crate) fn checkpoint(metadata: &Metadata, txns: &[(&str, i64)], adds: &[Add]) -> Bytes {
    let length = 2 + txns.len() + adds.len();
    let txn = |row: usize| row.checked_sub(2).and_then(|index| txns.get(index));
    let add = |row: usize| {
        row.checked_sub(2 + txns.len())
            .and_then(|index| adds.get(index))
    };
    let rows = || 0..length;
    let ints = |value| {
        Arc::new(
            rows()
                .map(|row| (row == 0).then_some(value))
                .collect::<Int32Array>(),
        )
    };
    let second = |text| texts(rows().map(move |row| (row == 1).then_some(text)));
    let mut columns = ListBuilder::new(StringBuilder::new());
    let mut configuration = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let mut values = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows() {
        for name in metadata.partition_columns.iter().filter(|_| row == 1) {
            columns.values().append_value(name);
        }
        columns.append(row == 1);
        for (key, value) in metadata.configuration.iter().filter(|_| row == 1) {
            configuration.keys().append_value(key);
            configuration.values().append_value(value);
        }
        configuration.append(row == 1).unwrap();
        for (key, value) in add(row).iter().flat_map(|add| &add.partition_values) {
            values.keys().append_value(key);
            values.values().append_option(value.as_deref());
        }
        values.append(add(row).is_some()).unwrap();
    }
    let longs = |of: &dyn Fn(usize) -> Option<i64>| -> ArrayRef {
        Arc::new(rows().map(of).collect::<Int64Array>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "protocol",
            column(vec![
                ("minReaderVersion", ints(1)),
                ("minWriterVersion", ints(2)),
            ]),
        ),
        (
            "metaData",
            column(vec![
                ("id", second(&metadata.id)),
                ("schemaString", second(&metadata.schema_string)),
                ("partitionColumns", Arc::new(columns.finish())),
                ("configuration", Arc::new(configuration.finish())),
            ]),
        ),
        (
            "txn",
            column(vec![
                ("appId", texts(rows().map(|row| txn(row).map(|txn| txn.0)))),
                ("version", longs(&|row| txn(row).map(|txn| txn.1))),
            ]),
        ),
        (
            "add",
            column(vec![
                (
                    "path",
                    texts(rows().map(|row| add(row).map(|add| add.path.as_str()))),
                ),
                ("partitionValues", Arc::new(values.finish())),
                ("size", longs(&|row| add(row).map(|add| add.size))),
                (
                    "modificationTime",
                    longs(&|row| add(row).map(|add| add.modification_time)),
                ),
                (
                    "dataChange",
                    Arc::new(
                        rows()
                            .map(|row| add(row).map(|_| true))
                            .collect::<BooleanArray>(),
                    ),
                ),
                (
                    "stats",
                    texts(rows().map(|row| add(row).and_then(|add| add.stats.as_deref()))),
                ),
            ]),
        ),
    ];
    let field =
        |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

fn metadata() -> Metadata {
    Metadata {
        id: "id".to_owned(),
        schema_string: "{}".to_owned(),
        partition_columns: vec!["cluster".to_owned(), "date".to_owned()],
        configuration: [("delta.appendOnly".to_owned(), "false".to_owned())].into(),
        ..Metadata::default()
    }
}

fn add(path: &str) -> Add {
    Add {
        path: path.to_owned(),
        partition_values: [
            ("cluster".to_owned(), Some("c".to_owned())),
            ("date".to_owned(), None),
        ]
        .into(),
        size: 5,
        modification_time: 6,
        data_change: true,
        stats: Some(r#"{"numRecords":3}"#.to_owned()),
    }
}

struct Written {
    store: Arc<InMemory>,
}

impl Written {
    fn new() -> Self {
        Self {
            store: Arc::new(InMemory::new()),
        }
    }

    fn log(&self, detail: Detail) -> Log {
        let random = Arc::new(Random::seeded(0));
        let counters = Arc::new(Counters::default());
        let store = Store::new(self.store.clone(), Retry::default(), random, counters);
        Log::new(store, &Path::from("t"), detail)
    }

    async fn put(&self, name: &str, content: impl Into<Bytes>) {
        let path = Path::from("t/_delta_log").join(name);
        self.store.put(&path, content.into().into()).await.unwrap();
    }

    async fn entry(&self, version: u64, json: &str) {
        self.put(&name::entry(version), json.to_owned()).await;
    }

    async fn read(&self) -> Option<Snapshot> {
        self.log(Detail::Files).read(None).await.unwrap()
    }
}

const FIRST: &str = concat!(
    r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
    "\n",
    r#"{"metaData":{"id":"id","format":{"provider":"parquet","options":{}},"schemaString":"{}","#,
    r#""partitionColumns":["cluster"],"configuration":{},"createdTime":1}}"#,
    "\n",
);

fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .files
        .as_ref()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn entries_add_up() {
    let log = Written::new();
    assert!(log.read().await.is_none());
    log.entry(0, FIRST).await;
    let second = concat!(
        r#"{"commitInfo":{"operation":"WRITE","anything":{"else":1}}}"#,
        "\n",
        r#"{"txn":{"appId":"podledger/wm","version":4,"lastUpdated":7}}"#,
        "\n",
        r#"{"txn":{"appId":"somebody","version":9}}"#,
        "\n",
        r#"{"add":{"path":"a","partitionValues":{"cluster":"c"},"size":1,"modificationTime":1,"#,
        r#""dataChange":true,"stats":"{\"numRecords\":3}","tags":{"a":"b"}}}"#,
        "\n",
        r#"{"add":{"path":"b","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#,
        "\n",
        r#"{"domainMetadata":{"domain":"d","configuration":"","removed":false}}"#,
    );
    log.entry(1, second).await;
    let known = log.read().await.unwrap();
    assert_eq!((known.version, known.watermark, known.fence), (1, 4, 0));
    assert_eq!(known.files.as_ref().unwrap()["a"].rows(), Some(3));
    let third = concat!(
        r#"{"remove":{"path":"a","deletionTimestamp":1,"dataChange":false}}"#,
        "\n",
        r#"{"add":{"path":"c","partitionValues":{},"size":1,"modificationTime":1,"dataChange":false}}"#,
        "\n",
        r#"{"txn":{"appId":"podledger/fence","version":2}}"#,
    );
    log.entry(2, third).await;
    for known in [None, Some(&known)] {
        let snapshot = log.log(Detail::Files).read(known).await.unwrap().unwrap();
        assert_eq!(
            (snapshot.version, snapshot.watermark, snapshot.fence),
            (2, 4, 2)
        );
        assert_eq!(paths(&snapshot), ["b", "c"]);
    }
    assert!(
        log.log(Detail::Heads)
            .read(None)
            .await
            .unwrap()
            .unwrap()
            .files
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_stands_for_what_came_before() {
    for parts in [1, 2] {
        let log = Written::new();
        log.put(
            &checkpoint::name(5, 1, parts),
            checkpoint(
                &metadata(),
                &[(WATERMARK, 8), (FENCE, 1), ("x", 3)],
                &[add("a")],
            ),
        )
        .await;
        if parts == 2 {
            assert!(
                log.log(Detail::Files).read(None).await.is_err(),
                "a part is missing"
            );
            log.put(
                &checkpoint::name(5, 2, 2),
                checkpoint(&metadata(), &[], &[add("b")]),
            )
            .await;
        }
        log.put("_last_checkpoint", r#"{"version":5,"size":9}"#)
            .await;
        log.entry(6, r#"{"txn":{"appId":"podledger/wm","version":9}}"#)
            .await;
        let snapshot = log.read().await.unwrap();
        assert_eq!(
            (snapshot.version, snapshot.watermark, snapshot.fence),
            (6, 9, 1)
        );
        assert_eq!(snapshot.metadata, metadata());
        assert_eq!(snapshot.requirements.min_writer_version, 2);
        let files = snapshot.files.as_ref().unwrap();
        assert_eq!(paths(&snapshot), &["a", "b"][..parts.try_into().unwrap()]);
        assert_eq!(files["a"].partition, add("a").partition_values);
        assert_eq!((files["a"].size, files["a"].rows()), (5, Some(3)));
        let heads = log.log(Detail::Heads).read(None).await.unwrap().unwrap();
        assert_eq!((heads.watermark, heads.files), (9, None));
    }
}

/// Somebody who read the log long ago finds a hole, and reads the checkpoint.
#[tokio::test(start_paused = true)]
async fn a_cleaned_log_is_read_from_its_checkpoint() {
    let log = Written::new();
    log.entry(0, FIRST).await;
    let known = log.read().await.unwrap();
    // A writer that slept put this after the log had been cleaned.
    log.entry(1, r#"{"txn":{"appId":"podledger/wm","version":77}}"#)
        .await;
    let content = checkpoint(&metadata(), &[(WATERMARK, 8)], &[add("a")]);
    log.put(&checkpoint::name(2, 1, 1), content).await;
    log.put("_last_checkpoint", r#"{"version":2,"size":9}"#)
        .await;
    log.entry(2, "{}").await;
    let snapshot = log
        .log(Detail::Files)
        .read(Some(&known))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((snapshot.version, snapshot.watermark), (2, 8));
    assert_eq!(paths(&snapshot), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_with_a_hole_or_nonsense_is_an_error() {
    let log = Written::new();
    log.entry(0, FIRST).await;
    log.entry(2, "{}").await;
    let error = log
        .log(Detail::Heads)
        .read(None)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("entries are missing"), "{error}");
    log.entry(1, r#"{"txn":{"appId":"podledger/wm"}}"#).await;
    let error = log
        .log(Detail::Heads)
        .read(None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("t/_delta_log, 00000000000000000001.json: missing field"),
        "{error}"
    );
    log.entry(1, r#"{"txn":{"appId":"podledger/wm","version":-1}}"#)
        .await;
    assert!(log.log(Detail::Heads).read(None).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_put_at_its_version_only() {
    let log = Written::new();
    log.entry(0, FIRST).await;
    log.entry(1, "{}").await;
    let writer = log.log(Detail::Heads);
    assert_eq!(
        writer.put(1, &[Line::default()]).await.unwrap(),
        Created::Taken
    );
    assert_eq!(
        writer.put(2, &[Line::default()]).await.unwrap(),
        Created::Surely
    );
    assert_eq!(
        writer.put(2, &[Line::default()]).await.unwrap(),
        Created::Taken
    );
    assert_eq!(log.read().await.unwrap().version, 2);
}
