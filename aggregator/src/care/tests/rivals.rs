//! Hours that several make at once, or that a fence overtakes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures_util::FutureExt as _;
use object_store::{ObjectStoreExt as _, path::Path};

use super::{
    hours::{assert_same, expected, found},
    scene::{DAY, HOUR, Scene, open, prefix},
};
use crate::{
    care::{Care, Progress, Settings},
    intake::Sealed,
    lake::log::{
        FENCE,
        action::{self, Line, Transaction},
        name,
    },
};

/// What happens at the moment when the first hour has been begun.
fn at_the_first_hour(settings: Settings, happening: impl Fn() + Send + Sync + 'static) -> Settings {
    let is_first = AtomicBool::new(true);
    let progress = move |Progress { doing, .. }: Progress<'_>| {
        if doing.starts_with("making hour") && is_first.swap(false, Ordering::Relaxed) {
            happening();
        }
    };
    Settings {
        progress: Arc::new(progress),
        ..settings
    }
}

/// Its file may be deleted by then: the hour is made again, not forgotten.
#[tokio::test]
async fn an_hour_that_a_fence_overtook_is_made_in_the_end() {
    let mut scene = Scene::new(3).await;
    scene.live(120).await;
    scene.at(DAY + 3 * HOUR);
    let bucket = scene.bucket.clone();
    let settings = at_the_first_hour(scene.settings(), move || {
        let fence = Line {
            txn: Some(Transaction {
                app_id: FENCE.to_owned(),
                version: 1,
                last_updated: None,
            }),
            ..Line::default()
        };
        let path = Path::from("p/pod_usage_hourly/_delta_log").join(name::entry(1));
        let entry = action::entry(&[fence]).unwrap();
        let put = async { bucket.put(&path, entry.into()).await };
        put.now_or_never().unwrap().unwrap();
    });
    let care = scene.care(settings);
    care.round().await.unwrap();
    assert!(scene.snapshot("pod_usage_hourly").await.fence == 1);
    care.round().await.unwrap();
    let all = expected(&scene, DAY + 2 * HOUR).await;
    assert_same(&found(&scene).await, &all);
}

/// It read the tables earlier, and writes later.
#[tokio::test]
async fn an_older_hour_does_not_take_the_place_of_a_newer_one() {
    let mut scene = Scene::new(3).await;
    scene.live(60).await;
    let mut all = scene.windows(10);
    let last = all.iter().map(|batch| batch.sender.node.clone()).max();
    let last = last.unwrap();
    for _ in 0..2 {
        all.extend(scene.windows(10));
    }
    let is_late = |batch: &crate::held::Held| batch.sender.node == last;
    let (late, early): (Vec<_>, Vec<_>) = all.into_iter().partition(is_late);
    scene.commit(early).await;
    scene.at(DAY + 3 * HOUR);
    let (bucket, rival) = (scene.bucket.clone(), scene.settings());
    let late = Mutex::new(Some(late));
    let settings = at_the_first_hour(scene.settings(), move || {
        let (bucket, rival) = (bucket.clone(), rival.clone());
        let batches = late.lock().unwrap().take().unwrap();
        let other = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                open(&bucket)
                    .await
                    .commit(&Sealed { batches })
                    .await
                    .unwrap();
                let rival = Settings {
                    random: Arc::new(crate::lake::random::Random::seeded(99)),
                    ..rival
                };
                let care = Care::new(bucket, &prefix(), rival);
                care.round().await.unwrap();
            });
        });
        other.join().unwrap();
    });
    scene.care(settings).round().await.unwrap();
    scene.at(DAY + 5 * HOUR);
    scene.care(scene.settings()).round().await.unwrap();
    assert_same(
        &found(&scene).await,
        &expected(&scene, DAY + 4 * HOUR).await,
    );
}

/// Or all hours of all times would be made anew each hour.
#[tokio::test]
async fn a_cleaned_log_has_all_hours_made_once() {
    let mut scene = Scene::new(6).await;
    scene.live(250).await;
    scene.at(i64::MAX / 4);
    let without = Settings {
        hourly: false,
        entries: 1,
        ..scene.settings()
    };
    scene.care(without).round().await.unwrap();
    scene.live(10).await;
    scene.at(DAY + 4 * HOUR + 20 * 60_000_000);
    let care = scene.care(scene.settings());
    care.round().await.unwrap();
    let made = care.tally().hours.get();
    assert_eq!(made, 4);
    scene.live(60).await;
    scene.at(DAY + 5 * HOUR + 20 * 60_000_000);
    care.round().await.unwrap();
    assert_eq!(care.tally().hours.get() - made, 1);
    assert_same(
        &found(&scene).await,
        &expected(&scene, DAY + 5 * HOUR).await,
    );
}
