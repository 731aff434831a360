//! What a start refuses, and what it finds.

use futures_util::TryStreamExt as _;
use object_store::ObjectStore as _;

use super::{
    faulty::{Asked, Fault, Faulty, Overwriting},
    *,
};
use crate::lake::log::action::{Line, Metadata, Requirements};

async fn refused(change: impl Fn(&mut Requirements, &mut Metadata)) -> String {
    let store = Arc::new(InMemory::new());
    let mut requirements = Requirements {
        min_reader_version: 1,
        min_writer_version: 2,
        ..Requirements::default()
    };
    let mut metadata = Metadata {
        id: "x".to_owned(),
        schema_string: Lines.schema(Table::Events),
        partition_columns: vec!["cluster".to_owned(), "date".to_owned()],
        ..Metadata::default()
    };
    change(&mut requirements, &mut metadata);
    let lines = [
        Line {
            protocol: Some(requirements),
            ..Line::default()
        },
        Line {
            meta_data: Some(metadata),
            ..Line::default()
        },
    ];
    log(&store, Table::Events).put(0, &lines).await.unwrap();
    match open(store, 1).await {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn tables_that_would_lose_something_are_refused() {
    assert_eq!(refused(|_, _| {}).await, "accepted");
    let words = refused(|_, metadata| {
        let key = "delta.setTransactionRetentionDuration".to_owned();
        metadata
            .configuration
            .insert(key, "interval 7 days".to_owned());
    });
    assert!(
        words
            .await
            .contains("p/events can't be used: its property delta.setTransaction")
    );
    let words = refused(|requirements, _| {
        requirements.min_reader_version = 3;
        requirements.min_writer_version = 7;
        requirements.writer_features =
            Some(vec!["appendOnly".to_owned(), "rowTracking".to_owned()]);
    });
    assert!(words.await.contains("feature rowTracking"));
    let words = refused(|requirements, _| requirements.min_writer_version = 4);
    assert!(words.await.contains("writer version 4"));
    let words = refused(|_, metadata| metadata.partition_columns.truncate(1));
    assert!(words.await.contains("partitioned by [\"cluster\"]"));
    let words = refused(|_, metadata| {
        metadata.schema_string = metadata.schema_string.replace("events", "evts");
    });
    assert!(words.await.contains("no column events"));
    let words = refused(|_, metadata| {
        metadata.schema_string = metadata.schema_string.replace("string", "long");
    });
    assert!(words.await.contains("column cluster is of another kind"));
}

#[tokio::test(start_paused = true)]
async fn racing_starts_make_one_table() {
    let store = Arc::new(InMemory::new());
    let slow = Faulty::new(store.clone(), |_, _| Fault::None);
    let lakes = (0..4).map(|seed| open(slow.clone(), seed));
    let lakes = futures_util::future::join_all(lakes).await;
    let ids: Vec<_> = lakes
        .iter()
        .map(|lake| lake.as_ref().unwrap().table_id())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(snapshot(&store, Table::Reconcile).await.metadata.id, ids[0]);
}

/// A store that overwrites.
#[tokio::test(start_paused = true)]
async fn a_store_that_overwrites_is_refused() {
    let store = Arc::new(InMemory::new());
    let forgetful = Faulty::new(store, |asked, path| {
        let is_probe = path.as_ref().ends_with("probe");
        assert!(
            is_probe || asked != Asked::Put,
            "nothing may be written: {path}"
        );
        Fault::None
    });
    let error = open(Arc::new(Overwriting(forgetful)), 1).await;
    let error = error.err().unwrap().to_string();
    assert!(
        error.contains("second put-if-absent of p/_podledger/probe"),
        "{error}"
    );
}

/// An absent watermark is never an empty one.
#[tokio::test(start_paused = true)]
async fn a_lost_watermark_stops_everything() {
    let store = Arc::new(InMemory::new());
    let lake = open(store.clone(), 1).await.unwrap();
    lake.commit(&run("a", 1, 2)).await.unwrap();
    let number = snapshot(&store, Table::PodUsage).await.watermark;
    let path = watermark::path(&table_path(&Path::from("p"), Table::PodUsage), number);
    store.delete(&path).await.unwrap();
    let error = open(store.clone(), 2).await.err().unwrap();
    assert!(matches!(error, LakeError::WatermarkLost { .. }), "{error}");
    assert!(error.to_string().contains(path.as_ref()), "{error}");
}

/// Older watermarks may be deleted by others at any time, also between the reading of a log and of the
/// watermark that it named.
#[tokio::test(start_paused = true)]
async fn older_watermarks_are_not_needed() {
    let store = Arc::new(InMemory::new());
    let one = open(store.clone(), 1).await.unwrap();
    one.commit(&run("a", 1, 2)).await.unwrap();
    let old = snapshot(&store, Table::PodUsage).await.watermark;
    let path = watermark::path(&table_path(&Path::from("p"), Table::PodUsage), old);
    let two = open(store.clone(), 2).await.unwrap();
    one.commit(&run("a", 3, 4)).await.unwrap();
    store.delete(&path).await.unwrap();
    two.commit(&run("a", 3, 5)).await.unwrap();
    assert_holds(&store, &once(&[("a", 5)])).await;
}

/// A number that is taken, even by nobody's entry, is left alone.
#[tokio::test(start_paused = true)]
async fn watermarks_are_never_overwritten() {
    let store = Arc::new(InMemory::new());
    let lake = open(store.clone(), 1).await.unwrap();
    let table = table_path(&Path::from("p"), Table::PodUsage);
    for number in [1, 2] {
        store
            .put(&watermark::path(&table, number), "garbage".into())
            .await
            .unwrap();
    }
    lake.commit(&run("a", 1, 1)).await.unwrap();
    assert_eq!(snapshot(&store, Table::PodUsage).await.watermark, 3);
    assert_holds(&store, &once(&[("a", 1)])).await;
}

/// Of five tables the fourth is somebody else's: none is made, and no probe is put.
#[tokio::test(start_paused = true)]
async fn beside_a_table_of_somebody_else_nothing_is_made() {
    let store = Arc::new(InMemory::new());
    let lines = [
        Line {
            protocol: Some(Requirements {
                min_reader_version: 1,
                min_writer_version: 2,
                ..Requirements::default()
            }),
            ..Line::default()
        },
        Line {
            meta_data: Some(Metadata {
                id: "x".to_owned(),
                schema_string: r#"{"type":"struct","fields":[]}"#.to_owned(),
                ..Metadata::default()
            }),
            ..Line::default()
        },
    ];
    log(&store, Table::Events).put(0, &lines).await.unwrap();
    assert!(open(store.clone(), 1).await.is_err());
    let names: Vec<_> = store
        .list(None)
        .map_ok(|object| object.location.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(names, ["p/events/_delta_log/00000000000000000000.json"]);
}
