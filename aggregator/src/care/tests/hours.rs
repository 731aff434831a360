//! The table of hours says what the rows of the windows say.

use std::collections::BTreeMap;

use arrow_array::{
    Array as _, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};

use super::scene::{DAY, HOUR, Scene};

/// Sums of a pod's hour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    windows: i64,
    cpu: f64,
    tx: i64,
    internet: i64,
}

pub type Hours = BTreeMap<(i64, String, String), Sums>;

pub fn column<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> &'a T {
    batch
        .column_by_name(name)
        .unwrap()
        .as_any()
        .downcast_ref()
        .unwrap()
}

/// By plain loops over all rows.
pub async fn expected(scene: &Scene, until: i64) -> Hours {
    let mut hours = Hours::new();
    for table in ["pod_usage", "pod_network"] {
        for batch in scene.rows(table).await {
            let (pods, nodes) = (
                column::<StringArray>(&batch, "pod_id"),
                column::<StringArray>(&batch, "node_name"),
            );
            let ends = column::<TimestampMicrosecondArray>(&batch, "window_end");
            for row in 0..batch.num_rows() {
                let hour = (ends.value(row) - 1).div_euclid(HOUR) * HOUR;
                if hour >= until {
                    continue;
                }
                let key = (
                    hour,
                    nodes.value(row).to_owned(),
                    pods.value(row).to_owned(),
                );
                let sums = hours.entry(key).or_default();
                if table == "pod_usage" {
                    sums.windows += 1;
                    sums.cpu += column::<Float64Array>(&batch, "cpu_seconds").value(row);
                    sums.tx += column::<Int64Array>(&batch, "net_tx_bytes_delta").value(row);
                } else if column::<StringArray>(&batch, "class").value(row) == "internet" {
                    sums.internet += column::<Int64Array>(&batch, "tx_bytes_delta").value(row);
                }
            }
        }
    }
    hours
}

pub async fn found(scene: &Scene) -> Hours {
    let mut hours = Hours::new();
    for batch in scene.rows("pod_usage_hourly").await {
        for row in 0..batch.num_rows() {
            let long = |name: &str| column::<Int64Array>(&batch, name).value(row);
            let text = |name: &str| column::<StringArray>(&batch, name).value(row).to_owned();
            let hour = column::<TimestampMicrosecondArray>(&batch, "hour").value(row);
            let sums = Sums {
                windows: long("windows"),
                cpu: column::<Float64Array>(&batch, "cpu_seconds").value(row),
                tx: long("net_tx_bytes"),
                internet: long("net_tx_bytes_internet"),
            };
            let key = (hour, text("node_name"), text("pod_id"));
            assert_eq!(
                hours.insert(key.clone(), sums),
                None,
                "{key:?} is there twice"
            );
        }
    }
    hours
}

pub fn assert_same(found: &Hours, expected: &Hours) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (key, sums) in found {
        let wanted = expected[key];
        assert!(
            (sums.cpu - wanted.cpu).abs() < 1e-6,
            "{key:?}: {sums:?}, not {wanted:?}"
        );
        let cpu = wanted.cpu;
        assert_eq!(Sums { cpu, ..*sums }, wanted, "{key:?}");
    }
}

#[tokio::test]
async fn each_pod_has_a_row_for_each_hour_that_is_over() {
    let mut scene = Scene::new(4).await;
    scene.live(200).await;
    let care = scene.care(scene.settings());
    scene.at(DAY + 3 * HOUR);
    care.round().await.unwrap();
    assert_same(
        &found(&scene).await,
        &expected(&scene, DAY + 2 * HOUR).await,
    );
    scene.at(DAY + 3 * HOUR + 16 * 60_000_000);
    care.round().await.unwrap();
    let all = expected(&scene, DAY + 3 * HOUR).await;
    assert!(all.len() > 3 * 60);
    assert_same(&found(&scene).await, &all);

    let version = scene.snapshot("pod_usage_hourly").await.version;
    care.round().await.unwrap();
    scene.care(scene.settings()).round().await.unwrap();
    assert_eq!(
        scene.snapshot("pod_usage_hourly").await.version,
        version,
        "nothing was new"
    );
}

#[tokio::test]
async fn an_hour_whose_rows_come_late_is_made_again() {
    let mut scene = Scene::new(6).await;
    scene.live(50).await;
    let late = scene.windows(10);
    let (early, late): (Vec<_>, Vec<_>) = {
        let nodes = late.iter().map(|batch| batch.sender.node.clone());
        let last = nodes.max().unwrap();
        late.into_iter()
            .partition(|batch| batch.sender.node != last)
    };
    let held_back = late[0].sender.node.clone();
    scene.commit(early).await;
    let mut waiting = late;
    for _ in 0..6 {
        let (now, more): (Vec<_>, Vec<_>) = scene
            .windows(10)
            .into_iter()
            .partition(|batch| batch.sender.node != held_back);
        scene.commit(now).await;
        waiting.extend(more);
    }
    scene.at(DAY + 2 * HOUR);
    scene.care(scene.settings()).round().await.unwrap();
    let before = found(&scene).await;
    assert_same(&before, &expected(&scene, DAY + HOUR).await);

    scene.commit(waiting).await;
    scene.at(DAY + 26 * HOUR);
    let care = scene.care(scene.settings());
    care.round().await.unwrap();
    let after = found(&scene).await;
    assert_same(&after, &expected(&scene, DAY + 24 * HOUR).await);
    let of_first = |hours: &Hours| -> i64 {
        let first = hours.iter().filter(|((hour, ..), _)| *hour == DAY);
        first.map(|(_, sums)| sums.windows).sum()
    };
    assert!(of_first(&after) > of_first(&before));
}

/// The log of the sources was cleaned before the table of hours was made: everything is.
#[tokio::test]
async fn hours_are_made_from_a_cleaned_log() {
    let mut scene = Scene::new(3).await;
    scene.live(120).await;
    scene.at(i64::MAX / 4);
    let without = crate::care::Settings {
        hourly: false,
        entries: 1,
        ..scene.settings()
    };
    scene.care(without).round().await.unwrap();
    scene.care(scene.settings()).round().await.unwrap();
    assert_same(&found(&scene).await, &expected(&scene, i64::MAX).await);
}

#[tokio::test]
async fn what_it_is_there_for_is_told() {
    let mut scene = Scene::new(3).await;
    scene.live(130).await;
    scene.at(DAY + 3 * HOUR);
    scene.care(scene.settings()).round().await.unwrap();
    let (mut whole, mut named, mut rows) = (0, 0, 0);
    for batch in scene.rows("pod_usage_hourly").await {
        rows += batch.num_rows();
        whole += column::<BooleanArray>(&batch, "is_complete").true_count();
        let instances = column::<StringArray>(&batch, "ec2_instance_id");
        named += instances.len() - instances.null_count();
        let seconds = column::<Float64Array>(&batch, "seconds");
        assert!(
            seconds
                .iter()
                .flatten()
                .all(|seconds| (0.0..3_700.0).contains(&seconds))
        );
    }
    assert!(
        rows > 50 && whole * 3 > rows && whole < rows,
        "{whole} of {rows}"
    );
    assert_eq!(named, rows);
}
