//! From the API server's watches to the columns of committed files: what a pod is, beside what it used.

use std::sync::Arc;
use std::time::Duration;

use aggregator::config::Cluster;
use aggregator::enrich::{Kind, Objects, Settings as ObjectSettings, watch::Watches};
use aggregator::lake::{rows::WriteSettings, settings::Settings as LakeSettings};
use aggregator::service::{Ready, Service, Settings, When};
use arrow_array::{Array as _, Int32Array, Int64Array, RecordBatch, cast::AsArray as _};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, memory::InMemory, path::Path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use protocol::{
    Epoch, Header, Message, PodUsage, Reconcile, Row, Timestamp, encode_message, encode_rows,
};

use super::*;

const WEB: &str = "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9";
const GUARANTEED: &str = "ef86080e-248e-4ee9-97a9-bf56ec9d6d8e";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
const NODE: &str = "node-1";

fn batch(seq: u64) -> Bytes {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let header = Header {
        cluster: "test".to_owned(),
        node: NODE.to_owned(),
        boot_id: "boot".to_owned(),
        epoch: Epoch([3; 16]),
        seq,
        previous: None,
        window_start: now.plus_us(-30_000_000),
        window_end: now,
    };
    let usage = |pod: &str| {
        Row::PodUsage(PodUsage {
            timestamp: now,
            pod_id: pod.to_owned(),
            window_start: header.window_start,
            window_end: now,
            ..PodUsage::default()
        })
    };
    let reconcile = Reconcile {
        rows_pod_usage: 3,
        timestamp: now,
        window_start: header.window_start,
        window_end: now,
        ..Reconcile::default()
    };
    let rows = [
        usage(WEB),
        usage(GUARANTEED),
        usage(NOBODY),
        Row::Reconcile(reconcile),
    ];
    let message = Message {
        node: NODE.to_owned(),
        batches: vec![encode_rows(&header, &rows).into()],
        asks: Vec::new(),
    };
    encode_message(&message).into()
}

/// Row groups of all files of `pod_usage`, each a batch of its own.
async fn committed(bucket: &Arc<InMemory>) -> Vec<RecordBatch> {
    let objects = bucket.list(Some(&Path::from("p/pod_usage")));
    let mut objects: Vec<_> = objects.try_collect().await.unwrap();
    objects.retain(|object| object.location.extension() == Some("parquet"));
    objects.sort_by_key(|object| object.last_modified);
    let mut found = Vec::new();
    for object in objects {
        let bytes = bucket
            .get(&object.location)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        found.extend(reader.build().unwrap().map(Result::unwrap));
    }
    found
}

fn text(batch: &RecordBatch, column: &str, pod: &str) -> Option<String> {
    let row = row_of(batch, pod);
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn texts(batch: &RecordBatch, column: &str, pod: &str) -> Option<Vec<String>> {
    let row = row_of(batch, pod);
    let column = batch.column_by_name(column).unwrap().as_list::<i32>();
    let list = column.is_valid(row).then(|| column.value(row))?;
    Some(
        list.as_string::<i32>()
            .iter()
            .flatten()
            .map(str::to_owned)
            .collect(),
    )
}

fn long(batch: &RecordBatch, column: &str, pod: &str) -> Option<i64> {
    let row = row_of(batch, pod);
    let column = batch.column_by_name(column).unwrap();
    let value = match column.as_any().downcast_ref::<Int32Array>() {
        Some(ints) => i64::from(ints.value(row)),
        None => column
            .as_any()
            .downcast_ref::<Int64Array>()
            .unwrap()
            .value(row),
    };
    column.is_valid(row).then_some(value)
}

fn row_of(batch: &RecordBatch, pod: &str) -> usize {
    let pods = batch.column_by_name("pod_id").unwrap().as_string::<i32>();
    pods.iter().position(|found| found == Some(pod)).unwrap()
}

fn assert_completed(batch: &RecordBatch) {
    assert_eq!(batch.num_rows(), 3, "one in, one out");
    assert_eq!(text(batch, "owner", WEB).as_deref(), Some("Deployment/web"));
    assert_eq!(text(batch, "workload", WEB).as_deref(), Some("web"));
    assert_eq!(
        text(batch, "pod_name", WEB).as_deref(),
        Some("web-768c4ccb68-mk5g4")
    );
    let labels = texts(batch, "labels", WEB).unwrap();
    assert!(
        labels.contains(&"app=web".to_owned()) && labels.is_sorted(),
        "{labels:?}"
    );
    assert_eq!(long(batch, "pvc_count", WEB), Some(0));
    assert_eq!(long(batch, "pvc_count", GUARANTEED), Some(1));
    assert_eq!(
        texts(batch, "pvc_names", GUARANTEED),
        Some(vec!["data".to_owned()])
    );
    assert_eq!(
        long(batch, "total_pvc_storage_bytes", GUARANTEED),
        Some(512 << 20)
    );
    assert!(long(batch, "requests_cpu_millicores", GUARANTEED) > Some(0));
    for column in ["labels", "pvc_names"] {
        assert_eq!(
            texts(batch, column, NOBODY),
            None,
            "of a pod that nobody knows"
        );
    }
}

/// A commit that is due before the first lists are whole is due by its age alone; and a pod that is gone by the
/// time of the commit is known all the same.
#[tokio::test]
async fn rows_are_committed_with_what_the_watches_tell() {
    let scene = Scene::recorded().unwrap();
    let access = Access::new(&scene.node_name()).unwrap();
    let api = ApiServer::start(&scene, &access, Security::Tls).unwrap();
    let cluster = Cluster {
        host: "127.0.0.1".to_owned(),
        port: api.address().port(),
        token: access.token_file(),
        ca: access.ca_file(),
    };
    let objects = Objects::new(ObjectSettings::default());
    let watches = Arc::new(Watches::new(cluster, objects.clone()));
    let watched = Arc::clone(&watches);
    let write = WriteSettings {
        known: objects.clone(),
        ..WriteSettings::default()
    };
    let settings = Settings {
        ready: Ready(Arc::new(move || watched.is_complete())),
        when: When {
            rows: 1,
            age: Duration::from_secs(4),
            ..When::default()
        },
        ..Settings::new(LakeSettings::new(Arc::new(write)))
    };
    let bucket = Arc::new(InMemory::new());
    let service = Service::start(bucket.clone(), Path::from("p"), settings)
        .await
        .unwrap();
    let service = Arc::new(service);
    let committing = tokio::spawn({
        let service = Arc::clone(&service);
        async move { service.run().await }
    });
    // The rows come first, and what they are of after them.
    service.take(Some(NODE), batch(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        committed(&bucket).await.is_empty(),
        "it waits for the first lists"
    );
    let watching = tokio::spawn(async move { watches.run().await });
    until(async || committed(&bucket).await.len() == 1).await;
    assert_completed(&committed(&bucket).await[0]);

    assert!(scene.remove(WEB));
    until(async || objects.tally().gone[Kind::Pods as usize] > 0).await;
    service.take(Some(NODE), batch(2)).await.unwrap();
    until(async || committed(&bucket).await.len() == 2).await;
    assert_completed(&committed(&bucket).await[1]);
    service.stop();
    committing.await.unwrap();
    watching.abort();
}

async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..1_500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came");
}
