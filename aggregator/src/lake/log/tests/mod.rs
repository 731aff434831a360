//! Reading logs that others wrote.

mod made;
mod upkeep;

use std::sync::Arc;

use object_store::{ObjectStoreExt as _, memory::InMemory};

use super::{action::Add, *};
use crate::lake::{counters::Counters, random::Random, store::Retry};

pub(crate) use made::checkpoint;

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
        tags: None,
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
