//! Tables that other programs change as well: hours merged into one file, clocks that are wrong.

use arrow_select::concat::concat_batches;
use object_store::{ObjectStoreExt as _, path::Path};
use parquet::arrow::ArrowWriter;
use protocol::Timestamp;

use super::{
    hours::{assert_same, expected, found},
    scene::{DAY, HOUR, Scene},
};
use crate::{
    care::Settings,
    lake::log::{
        KEPT_FROM,
        action::{Add, Line, Remove},
    },
};

/// As OPTIMIZE does: all files of the table of hours become one.
async fn optimize(scene: &Scene) {
    const TABLE: &str = "pod_usage_hourly";
    let batches = scene.rows(TABLE).await;
    let all = concat_batches(&batches[0].schema(), &batches).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), all.schema(), None).unwrap();
    writer.write(&all).unwrap();
    let bytes = writer.into_inner().unwrap();
    let path = "cluster=made-up/date=2026-01-01/part-00000-foreign.parquet";
    let files = scene.files(TABLE).await;
    let hours = found(scene).await;
    let bound = |hour: i64| serde_json::json!({ "hour": Timestamp { unix_us: hour }.to_string() });
    let stats = serde_json::json!({
        "numRecords": all.num_rows(),
        "minValues": bound(hours.keys().next().unwrap().0),
        "maxValues": bound(hours.keys().last().unwrap().0),
    });
    let add = Add {
        path: path.to_owned(),
        partition_values: files.values().next().unwrap().partition.clone(),
        size: bytes.len() as i64,
        stats: Some(stats.to_string()),
        ..Add::default()
    };
    let stored = Path::from(format!("p/{TABLE}/{path}"));
    scene.bucket.put(&stored, bytes.into()).await.unwrap();
    let removes = files.into_keys().map(|path| Line {
        remove: Some(Remove {
            path,
            deletion_timestamp: Some(0),
            data_change: false,
        }),
        ..Line::default()
    });
    let add = Line {
        add: Some(add),
        ..Line::default()
    };
    let lines: Vec<Line> = removes.chain([add]).collect();
    scene.put(TABLE, &lines).await;
}

#[tokio::test]
async fn hours_that_another_program_merged_are_made_again_as_before() {
    let mut scene = Scene::new(5).await;
    scene.live(60).await;
    let mut late = Vec::new();
    for _ in 0..12 {
        let windows = scene.windows(10);
        let last = windows.iter().map(|batch| batch.sender.node.clone()).max();
        let (held, now): (Vec<_>, Vec<_>) = windows
            .into_iter()
            .partition(|batch| Some(&batch.sender.node) == last.as_ref());
        late.extend(held);
        scene.commit(now).await;
    }
    scene.at(DAY + 4 * HOUR);
    let care = scene.care(scene.settings());
    care.round().await.unwrap();
    let before = found(&scene).await;
    scene.assert_proved().await;
    optimize(&scene).await;
    assert_same(&found(&scene).await, &before);
    // The second and the third hour.
    scene.commit(late).await;
    scene.assert_proved().await;
    scene.at(DAY + 5 * HOUR);
    care.round().await.unwrap();
    scene.assert_proved().await;
    let all = expected(&scene, DAY + 4 * HOUR).await;
    assert!(all.len() >= before.len());
    assert_same(&found(&scene).await, &all);
}

#[tokio::test]
async fn a_clock_that_is_ahead_takes_out_no_day() {
    let mut scene = Scene::with_windows(40, HOUR).await;
    scene.live(40).await;
    let before = scene.assert_proved().await;
    scene.at(DAY + 400 * 24 * HOUR);
    let settings = Settings {
        days: Some(9),
        ..scene.settings()
    };
    scene.care(settings).round().await.unwrap();
    assert_eq!(scene.assert_proved().await, before);
}

/// A clock that goes back, or a longer retention: what went is not promised again.
#[tokio::test]
async fn days_that_went_are_not_promised_again() {
    let mut scene = Scene::with_windows(12 * 24, 4 * HOUR).await;
    scene.live(70).await;
    let first_of = |scene: &Scene| {
        let care = scene.care(Settings {
            days: Some(9),
            ..scene.settings()
        });
        async move { care.round().await.unwrap() }
    };
    scene.at(DAY + 11 * 24 * HOUR);
    first_of(&scene).await;
    let kept_from = scene.snapshot("pod_usage").await.kept_from;
    assert_eq!(kept_from as i64, DAY / (24 * HOUR) + 2);
    let old = scene.files("pod_usage").await.into_values().next().unwrap();
    let mut partition = old.partition.clone();
    partition.insert("date".to_owned(), Some("2025-12-31".to_owned()));
    let add = Add {
        path: "cluster=made-up/date=2025-12-31/none.parquet".to_owned(),
        partition_values: partition,
        size: 5,
        ..Add::default()
    };
    let line = Line {
        add: Some(add),
        ..Line::default()
    };
    scene.put("pod_usage", &[line]).await;
    scene.at(DAY + 10 * 24 * HOUR);
    first_of(&scene).await;
    let now = scene.snapshot("pod_usage").await;
    assert!(now.files.unwrap().keys().all(|path| !path.contains("none")));
    assert_eq!(now.transactions[KEPT_FROM].version, kept_from as i64);
}
