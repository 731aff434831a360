//! One thing that is broken is told, and is not the end of all care.

use object_store::{ObjectStoreExt as _, path::Path};

use super::{
    hours::{expected, found},
    scene::{DAY, HOUR, Scene},
};
use crate::{
    care::{Rules, choose::Times},
    lake::log::name,
};

/// Spoils the first file of a table; its path in the log.
async fn spoil(scene: &Scene, table: &str) -> String {
    let (path, file) = scene.files(table).await.into_iter().next().unwrap();
    let bytes = vec![7_u8; usize::try_from(file.size).unwrap()];
    let stored = name::in_store(&path).unwrap();
    let stored = Path::parse(format!("p/{table}/{stored}")).unwrap();
    scene.bucket.put(&stored, bytes.into()).await.unwrap();
    path
}

#[tokio::test]
async fn a_damaged_file_does_not_end_the_care_of_the_others() {
    let mut scene = Scene::new(3).await;
    scene.live(180).await;
    let many = scene.files("pod_usage").await.len();
    let spoilt = spoil(&scene, "pod_usage").await;
    scene.at(DAY + 4 * HOUR);
    let care = scene.care(scene.settings());
    let failed = care.round().await.unwrap_err();
    assert!(failed.to_string().contains("decoding"), "{failed}");
    for table in ["pod_network", "node_usage", "reconcile"] {
        assert_eq!(scene.files(table).await.len(), 3, "{table}");
    }
    // What is beside it is merged without it, and it is not tried again and again.
    for _ in 0..3 {
        drop(care.round().await);
    }
    let files = scene.files("pod_usage").await;
    assert!(files.contains_key(&spoilt), "it stays in the table");
    assert_eq!(files.len(), 4, "of {many}: {:?}", files.keys());
    let idle = care.round().await.unwrap();
    assert_eq!((idle.before.files, idle.given_up), (0, 0));
}

#[tokio::test]
async fn an_hour_that_can_not_be_made_does_not_hold_up_the_others() {
    let mut scene = Scene::new(3).await;
    scene.live(180).await;
    let all = expected(&scene, i64::MAX).await;
    let file = scene.files("pod_usage").await.into_iter();
    let first = file.min_by_key(|(_, file)| Times::of(file.stats.as_deref()).unwrap().first);
    let (path, file) = first.unwrap();
    let stored = Path::parse(format!("p/pod_usage/{}", name::in_store(&path).unwrap())).unwrap();
    let bytes = vec![7_u8; usize::try_from(file.size).unwrap()];
    scene.bucket.put(&stored, bytes.into()).await.unwrap();
    scene.at(DAY + 4 * HOUR);
    let care = scene.care(scene.settings());
    assert!(care.round().await.is_err());
    let hours = found(&scene).await;
    let without = |begin: i64| all.keys().filter(|(hour, ..)| *hour >= begin).count();
    assert!(hours.len() >= without(DAY + 2 * HOUR), "{}", hours.len());
    // Nor is it tried for ever.
    scene.at(DAY + 5 * HOUR);
    care.round().await.unwrap();
    assert_eq!(found(&scene).await, hours);
}

/// It was cut off while it was written, or somebody put it by hand.
#[tokio::test]
async fn a_damaged_hint_is_written_anew() {
    let mut scene = Scene::new(2).await;
    scene.live(60).await;
    for table in ["pod_usage", "reconcile"] {
        let hint = Path::from(format!("p/{table}/_delta_log/_last_checkpoint"));
        scene.bucket.put(&hint, "{\"vers".into()).await.unwrap();
    }
    scene.live(30).await;
    let settings = crate::care::Settings {
        entries: 5,
        rules: Rules::default(),
        ..scene.settings()
    };
    scene.at(DAY + 3 * HOUR);
    scene.care(settings).round().await.unwrap();
    let hint = Path::from("p/pod_usage/_delta_log/_last_checkpoint");
    let hint = scene
        .bucket
        .get(&hint)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let hint: serde_json::Value = serde_json::from_slice(&hint).unwrap();
    assert!(hint["version"].as_u64() > Some(5), "{hint}");
    scene.live(10).await;
    scene.assert_proved().await;
}
