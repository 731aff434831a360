//! What nobody names goes, what somebody needs stays.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path};
use protocol::Table;

use super::scene::{DAY, HOUR, Scene};
use crate::care::Settings;

const ORPHAN: &str = "p/pod_usage/cluster=made-up/date=2026-01-01/part-orphan.parquet";
const FOREIGN: &str = "p/pod_usage/cluster=made-up/date=2026-01-01/notes.txt";

async fn objects(scene: &Scene, below: &str) -> Vec<Path> {
    let objects = scene.bucket.list(Some(&Path::from(below)));
    let objects: Vec<_> = objects.try_collect().await.unwrap();
    objects.into_iter().map(|object| object.location).collect()
}

async fn data(scene: &Scene) -> usize {
    objects(scene, "p/pod_usage")
        .await
        .iter()
        .filter(|path| path.extension() == Some("parquet"))
        .count()
}

/// Objects of this store are as old as the test: the clock is ahead by a year.
fn settings(scene: &Scene, readers: Duration) -> Settings {
    scene.at(DAY + 365 * 24 * HOUR);
    Settings {
        readers,
        hourly: false,
        ..scene.settings()
    }
}

#[tokio::test]
async fn replaced_files_stay_for_readers_and_then_go() {
    let mut scene = Scene::new(3).await;
    scene.live(120).await;
    let orphan = Path::from(ORPHAN);
    scene.bucket.put(&orphan, "nothing".into()).await.unwrap();
    scene
        .bucket
        .put(&FOREIGN.into(), "nothing".into())
        .await
        .unwrap();
    let many = data(&scene).await;
    let week = Duration::from_secs(7 * 24 * 3600);
    let care = scene.care(settings(&scene, week));
    care.round().await.unwrap();
    let rows = scene.assert_proved().await;
    assert!(data(&scene).await > many, "the old files are still there");

    let dry = care.vacuum(true).await.unwrap();
    assert!(
        dry.files == 1 && scene.bucket.head(&orphan).await.is_ok(),
        "{dry:?}"
    );
    let gone = care.vacuum(false).await.unwrap();
    assert_eq!(
        (gone.files, gone.bytes),
        (1, 7),
        "only the orphan is old enough"
    );
    assert!(scene.bucket.head(&orphan).await.is_err());
    assert_eq!(scene.snapshot("pod_usage").await.fence, 1);

    let none = scene.care(settings(&scene, Duration::ZERO));
    scene.at(DAY + 365 * 24 * HOUR + 1_000_000);
    assert!(none.vacuum(false).await.unwrap().files > 10);
    assert_eq!(data(&scene).await, scene.files("pod_usage").await.len());
    assert_eq!(scene.assert_proved().await, rows);
    assert!(
        scene.bucket.head(&FOREIGN.into()).await.is_ok(),
        "that is somebody else's"
    );
    assert_eq!(none.vacuum(false).await.unwrap().files, 0);
}

#[tokio::test]
async fn logs_and_watermarks_stay_short() {
    let mut scene = Scene::new(3).await;
    scene.live(120).await;
    let rows = scene.assert_proved().await;
    let settings = Settings {
        entries: 5,
        history: Duration::from_secs(24 * 3600),
        ..settings(&scene, Duration::from_secs(24 * 3600))
    };
    let care = scene.care(settings);
    care.round().await.unwrap();
    for table in Table::ALL.map(Table::name) {
        let log = objects(&scene, &format!("p/{table}/_delta_log")).await;
        assert!(log.len() <= 4, "{table}: {log:?}");
        let marks = objects(&scene, &format!("p/{table}/_podledger/wm")).await;
        assert_eq!(marks.len(), 1, "{table}: {marks:?}");
    }
    assert_eq!(scene.assert_proved().await, rows);
    // Writers go on, those that knew the log before as well as new ones.
    scene.live(10).await;
    assert!(scene.assert_proved().await["pod_usage"] > rows["pod_usage"]);
}

#[tokio::test]
async fn old_days_go_and_verify_knows_it() {
    let mut scene = Scene::with_windows(11 * 24, HOUR).await;
    scene.live(11 * 24).await;
    let before = scene.assert_proved().await;
    scene.at(DAY + (10 * 24 + 23) * HOUR);
    let care = scene.care(Settings {
        days: Some(9),
        ..scene.settings()
    });
    care.round().await.unwrap();
    let after = scene.assert_proved().await;
    assert_eq!(after["reconcile"], before["reconcile"], "the ledger stays");
    assert!(
        after["pod_usage"] > 0 && after["pod_usage"] < before["pod_usage"],
        "{after:?}"
    );
    let files = scene.files("pod_usage").await;
    assert!(
        files.keys().all(|path| !path.contains("date=2026-01-01")),
        "{files:?}"
    );
    // A row that goes without a word is found all the same.
    let kept = scene.snapshot("pod_usage").await;
    let remove = crate::lake::log::action::Line {
        remove: Some(crate::lake::log::action::Remove {
            path: files.into_keys().next().unwrap(),
            deletion_timestamp: Some(0),
            data_change: true,
        }),
        ..Default::default()
    };
    let entry = crate::lake::log::action::entry(&[remove]).unwrap();
    let name = crate::lake::log::name::entry(kept.version + 1);
    let path = Path::from("p/pod_usage/_delta_log").join(name);
    scene.bucket.put(&path, entry.into()).await.unwrap();
    assert!(!scene.report().await.is_proved());
}
