//! Files are merged, rows stay.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use protocol::Table;
use tokio::sync::Notify;

use super::scene::{DAY, HOUR, Scene};
use crate::{
    care::Settings,
    lake::{
        LakeError,
        merge::{Input, Merge, Merger, Merging},
        store::Store,
    },
};

#[tokio::test]
async fn small_files_become_few_and_no_row_is_lost() {
    let mut scene = Scene::new(25).await;
    scene.live(25 * 60).await;
    let before = scene.assert_proved().await;
    let (many, old) = (
        scene.files("pod_usage").await,
        scene.snapshot("pod_usage").await,
    );
    assert!(many.len() > 100, "{}", many.len());

    scene.at(DAY + 3 * HOUR);
    let care = scene.care(scene.settings());
    let merged = care.round().await.unwrap();
    assert!(
        merged.before.files > merged.after.files && merged.given_up == 0,
        "{merged:?}"
    );
    assert_eq!(merged.before.rows, merged.after.rows);
    assert_eq!(scene.assert_proved().await, before);
    let hours = scene.files("pod_usage").await.len();
    assert!(
        hours < many.len() - 8,
        "two hours are merged: {hours} of {}",
        many.len()
    );

    scene.at(DAY + 24 * HOUR + 20 * 60_000_000);
    care.round().await.unwrap();
    care.round().await.unwrap();
    assert_eq!(scene.assert_proved().await, before);
    let first = |files: &std::collections::BTreeMap<String, _>| {
        files
            .keys()
            .filter(|path| path.contains("date=2026-01-01"))
            .count()
    };
    let days = scene.files("pod_usage").await;
    assert!(first(&days) <= 3, "a day is a few files: {days:?}");
    let now = scene.snapshot("pod_usage").await;
    assert_eq!(
        (now.watermark, now.fence),
        (old.watermark, old.fence),
        "only files moved"
    );
    let idle = care.round().await.unwrap();
    assert_eq!(
        idle.before.files, 0,
        "there is nothing left to do: {idle:?}"
    );
}

/// Merges as the other does, but waits before it says so.
struct Slow {
    merger: Merger,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    is_first: AtomicBool,
}

#[async_trait]
impl Merge for Slow {
    async fn begin(
        &self,
        store: &Store,
        table: Table,
        inputs: Vec<Input>,
    ) -> Result<Box<dyn Merging>, LakeError> {
        let merging = self.merger.begin(store, table, inputs).await?;
        if self.is_first.swap(false, Ordering::Relaxed) {
            self.begun.notify_one();
            self.go_on.notified().await;
        }
        Ok(merging)
    }
}

/// What happens while files of `pod_usage` are being merged.
async fn while_merging(scene: &mut Scene, happening: impl AsyncFnOnce(&mut Scene)) -> u64 {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let settings = scene.settings();
    let slow = Slow {
        merger: settings.merger.clone(),
        begun: begun.clone(),
        go_on: go_on.clone(),
        is_first: AtomicBool::new(true),
    };
    let care = scene.care(Settings {
        merger: Arc::new(slow),
        hourly: false,
        ..settings
    });
    let (compacted, ()) = tokio::join!(care.round(), async {
        begun.notified().await;
        happening(scene).await;
        go_on.notify_one();
    });
    compacted.unwrap().given_up
}

#[tokio::test]
async fn commits_go_on_while_files_are_merged() {
    let mut scene = Scene::new(4).await;
    scene.live(120).await;
    scene.at(DAY + 3 * HOUR);
    let given_up = while_merging(&mut scene, async |scene: &mut Scene| scene.live(60).await).await;
    assert_eq!(given_up, 0);
    let rows = scene.assert_proved().await;
    assert!(rows["pod_usage"] > 180 * 40);
}

#[tokio::test]
async fn a_merge_whose_files_another_one_merged_is_given_up() {
    let mut scene = Scene::new(4).await;
    scene.live(120).await;
    scene.at(DAY + 3 * HOUR);
    let before = scene.assert_proved().await;
    let given_up = while_merging(&mut scene, async |scene: &mut Scene| {
        scene.care(scene.settings()).round().await.unwrap();
    })
    .await;
    assert!(given_up > 0);
    assert_eq!(scene.assert_proved().await, before);
}

/// Its new files may be deleted by then.
#[tokio::test]
async fn a_merge_that_a_fence_overtook_is_given_up() {
    let mut scene = Scene::new(4).await;
    scene.live(120).await;
    scene.at(DAY + 3 * HOUR);
    let before = scene.assert_proved().await;
    let given_up = while_merging(&mut scene, async |scene: &mut Scene| {
        let settings = Settings {
            readers: std::time::Duration::ZERO,
            ..scene.settings()
        };
        // A file that nobody names, so that there is something to delete.
        let orphan = "p/pod_usage/cluster=made-up/date=2026-01-01/part-orphan.parquet";
        use object_store::ObjectStoreExt as _;
        scene
            .bucket
            .put(&orphan.into(), "nothing".into())
            .await
            .unwrap();
        scene.at(i64::MAX / 4);
        let gone = scene.care(settings).vacuum(false).await.unwrap();
        assert!(gone.files > 0);
        scene.at(DAY + 3 * HOUR);
    })
    .await;
    assert_eq!(given_up, 1);
    assert_eq!(scene.assert_proved().await, before);
}

/// Statistics that are wrong, or a file that was cut: nothing is changed.
#[tokio::test]
async fn a_merge_that_has_other_rows_than_were_told_changes_nothing() {
    struct Loses(Merger);

    #[async_trait]
    impl Merge for Loses {
        async fn begin(
            &self,
            store: &Store,
            table: Table,
            mut inputs: Vec<Input>,
        ) -> Result<Box<dyn Merging>, LakeError> {
            inputs.pop();
            self.0.begin(store, table, inputs).await
        }
    }

    let mut scene = Scene::new(3).await;
    scene.live(120).await;
    scene.at(DAY + 3 * HOUR);
    let before = (
        scene.assert_proved().await,
        scene.snapshot("pod_usage").await.version,
    );
    let settings = scene.settings();
    let merger = Arc::new(Loses(settings.merger.clone()));
    let care = scene.care(Settings { merger, ..settings });
    let failed = care.round().await;
    assert!(
        matches!(failed, Err(LakeError::BadLog { .. })),
        "{failed:?}"
    );
    assert_eq!(
        (
            scene.assert_proved().await,
            scene.snapshot("pod_usage").await.version
        ),
        before
    );
}
