//! Checkpoints of our own, and logs that are cleaned.

use std::time::{Duration, SystemTime};

use protocol::Timestamp;

use super::{
    super::action::{Line, Remove, Transaction},
    *,
};

const OLD: i64 = 1_000;
const YOUNG: i64 = 9_000;

fn soon() -> Timestamp {
    Timestamp::from_system(SystemTime::now() + Duration::from_secs(60))
}

fn removed(path: &str, when: i64) -> Line {
    Line {
        remove: Some(Remove {
            path: path.to_owned(),
            deletion_timestamp: Some(when),
            data_change: false,
        }),
        ..Line::default()
    }
}

fn txn(app_id: &str, version: i64) -> Line {
    Line {
        txn: Some(Transaction {
            app_id: app_id.to_owned(),
            version,
            last_updated: (app_id == "somebody").then_some(77),
        }),
        ..Line::default()
    }
}

fn added(path: &str) -> Line {
    let tags = [("podledger.pod_usage".to_owned(), Some("7".to_owned()))];
    Line {
        add: Some(Add {
            tags: Some(tags.into()),
            ..add(path)
        }),
        ..Line::default()
    }
}

/// A table of five versions.
async fn table() -> Written {
    let written = Written::new();
    let log = written.log(Detail::Files);
    log.create("id".to_owned(), "{}".to_owned(), 5)
        .await
        .unwrap();
    for (version, lines) in (1..).zip([
        vec![added("a"), added("b"), txn(WATERMARK, 1)],
        vec![
            added("c"),
            txn(WATERMARK, 2),
            txn(FENCE, 3),
            txn("somebody", 9),
        ],
        vec![removed("a", OLD), removed("b", YOUNG)],
        vec![added("d"), txn(WATERMARK, 4), txn(KEPT_FROM, 20_000)],
    ]) {
        assert_eq!(log.put(version, &lines).await.unwrap(), Created::Surely);
    }
    written
}

async fn names(written: &Written) -> Vec<String> {
    use futures_util::TryStreamExt as _;
    let objects = object_store::ObjectStore::list(&*written.store, None);
    let objects: Vec<_> = objects.try_collect().await.unwrap();
    let names = objects
        .iter()
        .map(|object| object.location.filename().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn a_checkpoint_tells_what_the_entries_told() {
    let written = table().await;
    let log = written.log(Detail::Files);
    let mut snapshot = written.read().await.unwrap();
    assert_eq!(paths(&snapshot), ["c", "d"]);
    let oldest = Timestamp {
        unix_us: (OLD + 1) * 1_000,
    };
    log.put_checkpoint(&snapshot, oldest).await.unwrap();
    assert_eq!(log.last_checkpoint().await.unwrap(), Some(4));
    // Only the checkpoint is left.
    for version in 0..=4 {
        let path = Path::from("t/_delta_log").join(name::entry(version));
        written.store.delete(&path).await.unwrap();
    }
    snapshot.removed.remove("a");
    assert_eq!(written.read().await.unwrap(), snapshot);
    assert_eq!(snapshot.removed["b"], YOUNG);
    assert_eq!(
        (snapshot.watermark, snapshot.fence, snapshot.kept_from),
        (4, 3, 20_000)
    );
    let foreign = &snapshot.transactions["somebody"];
    assert_eq!((foreign.version, foreign.last_updated), (9, Some(77)));
}

#[tokio::test]
async fn a_checkpoint_of_many_files_is_whole() {
    let written = Written::new();
    let log = written.log(Detail::Files);
    log.create("id".to_owned(), "{}".to_owned(), 5)
        .await
        .unwrap();
    let many: Vec<Line> = (0..10_000)
        .map(|number| added(&format!("{number:05}")))
        .collect();
    log.put(1, &many).await.unwrap();
    let snapshot = written.read().await.unwrap();
    log.put_checkpoint(&snapshot, soon()).await.unwrap();
    written
        .store
        .delete(&Path::from("t/_delta_log").join(name::entry(1)))
        .await
        .unwrap();
    assert_eq!(written.read().await.unwrap(), snapshot);
}

#[tokio::test]
async fn a_hint_never_goes_back() {
    let written = table().await;
    let log = written.log(Detail::Files);
    let newest = written.read().await.unwrap();
    log.put_checkpoint(&newest, soon()).await.unwrap();
    let older = Snapshot {
        version: 2,
        ..newest
    };
    log.put_checkpoint(&older, soon()).await.unwrap();
    assert_eq!(log.last_checkpoint().await.unwrap(), Some(4));
}

#[tokio::test]
async fn a_cleaned_log_reads_as_before() {
    let written = table().await;
    let log = written.log(Detail::Files);
    assert_eq!(
        log.clean(soon()).await.unwrap(),
        0,
        "nothing stands for the entries"
    );
    let snapshot = written.read().await.unwrap();
    log.put_checkpoint(&snapshot, Timestamp::default())
        .await
        .unwrap();
    let young = Timestamp { unix_us: 0 };
    assert_eq!(log.clean(young).await.unwrap(), 0, "none is old enough");
    assert_eq!(log.clean(soon()).await.unwrap(), 4);
    let left = names(&written).await;
    assert!(left.contains(&name::entry(4)), "{left:?}");
    assert!(!left.contains(&name::entry(3)), "{left:?}");
    assert_eq!(written.read().await.unwrap(), snapshot);
    // Whoever knew an older version reads everything anew.
    let known = Snapshot {
        version: 1,
        ..snapshot.clone()
    };
    let read = log.read(Some(&known)).await.unwrap().unwrap();
    assert_eq!(read, snapshot);
}

/// A writer that was away while the log was cleaned: its put is new, and it must not believe it.
#[tokio::test]
async fn a_put_behind_a_checkpoint_is_not_believed() {
    let written = table().await;
    let log = written.log(Detail::Files);
    let snapshot = written.read().await.unwrap();
    log.put_checkpoint(&snapshot, Timestamp::default())
        .await
        .unwrap();
    log.clean(soon()).await.unwrap();
    assert_eq!(
        log.put_next(1, &[added("e")]).await.unwrap(),
        Put::Overtaken
    );
    assert_eq!(log.put_next(3, &[added("e")]).await.unwrap(), Put::Taken);
    assert_eq!(log.put_next(4, &[added("e")]).await.unwrap(), Put::Surely);
    assert_eq!(paths(&written.read().await.unwrap()), ["c", "d", "e"]);
}

/// A hint that is not there leads readers to the first entry: it must stay.
#[tokio::test]
async fn a_log_without_a_hint_is_not_cleaned() {
    let written = table().await;
    let log = written.log(Detail::Files);
    let snapshot = written.read().await.unwrap();
    log.put_checkpoint(&snapshot, Timestamp::default())
        .await
        .unwrap();
    let hint = Path::from("t/_delta_log/_last_checkpoint");
    written.store.delete(&hint).await.unwrap();
    assert_eq!(log.clean(soon()).await.unwrap(), 0);
    assert_eq!(written.read().await.unwrap(), snapshot);
}
