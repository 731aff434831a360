//! Two and three aggregators that hold the same batches.

use std::time::Duration;

use super::{
    faulty::{Asked, Fault, Faulty},
    *,
};
use crate::{
    intake::{Intake, Offered},
    lake::settings::CrashPoint,
};

/// Each offers its own lake everything, again and again, until the ledger has it.
async fn commit_all(lake: &Lake, nodes: &[&str], last: u64) {
    let mut intake = Intake::default();
    intake.raise(&lake.ledger());
    while nodes
        .iter()
        .any(|node| lake.ledger().seq(&batch(node, 1).sender) < last)
    {
        for node in nodes {
            let received = intake.answer(node, Epoch([7; 16])).received;
            for seq in received + 1..=(received + 2).min(last) {
                assert_eq!(intake.offer(batch(node, seq)), Offered::Taken);
            }
        }
        let ledger = lake.commit(&intake.seal()).await.unwrap();
        intake.raise(&ledger);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_and_three_commit_the_same_batches_once() {
    for lakes in [2, 3] {
        let store = Arc::new(InMemory::new());
        let nodes = ["a", "b"];
        let run = |seed| {
            let store = Faulty::new(store.clone(), |_, _| Fault::None);
            async move {
                let lake = open(store, seed).await.unwrap();
                commit_all(&lake, &nodes, 12).await;
                lake.counters().conflicts.get()
            }
        };
        let conflicts = futures_util::future::join_all((1..=lakes).map(run)).await;
        assert!(
            conflicts.iter().sum::<u64>() > 0,
            "they never met: {conflicts:?}"
        );
        assert_holds(&store, &once(&[("a", 12), ("b", 12)])).await;
    }
}

/// As before, with every seventh put failing in one of three ways.
#[tokio::test(start_paused = true)]
async fn rivals_on_a_failing_store_commit_once() {
    for seed in 0..20 {
        let store = Arc::new(InMemory::new());
        let run = |number: u64| {
            let mut puts = seed;
            let faulty = Faulty::new(store.clone(), move |asked, _| {
                puts += u64::from(asked == Asked::Put);
                match (asked, puts % 21) {
                    (Asked::Put, 0) => Fault::AnswerLost,
                    (Asked::Put, 7) => Fault::Refused,
                    (Asked::Put, 14) => Fault::Late(Duration::from_millis(40 * puts)),
                    _ => Fault::None,
                }
            });
            async move {
                let lake = open(faulty, seed * 10 + number).await.unwrap();
                commit_all(&lake, &["a", "b"], 8).await;
            }
        };
        futures_util::future::join_all((1..=3).map(run)).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_holds(&store, &once(&[("a", 8), ("b", 8)])).await;
    }
}

/// Every aggregator has its own view of a batch that became a gap: whole in one, a gap in the other.
/// The ledger says one of both, and never whole without rows.
#[tokio::test(start_paused = true)]
async fn a_batch_that_became_a_gap_is_told_once() {
    for seed in 0..10 {
        let store = Arc::new(InMemory::new());
        let slow = Faulty::new(store.clone(), |_, _| Fault::None);
        let (one, two) = (
            open(slow.clone(), seed).await.unwrap(),
            open(slow, seed + 100).await.unwrap(),
        );
        let whole = run("a", 1, 3);
        let other = async {
            tokio::time::sleep(Duration::from_millis(seed)).await;
            two.commit(&sealed([gap("a", 1)])).await.unwrap();
            two.commit(&sealed([batch("a", 2), batch("a", 3)]))
                .await
                .unwrap();
        };
        let (committed, ()) = futures_util::future::join(one.commit(&whole), other).await;
        assert_eq!(committed.unwrap().seq(&batch("a", 1).sender).max(3), 3);
        let ledger = content(&store, Table::Reconcile).await;
        let data = content(&store, Table::PodUsage).await;
        for seq in 1..=3 {
            let found = |kind| {
                ledger
                    .get(&("a".to_owned(), seq, kind))
                    .copied()
                    .unwrap_or(0)
            };
            assert_eq!(found(true) + found(false), 1, "seed {seed} seq {seq}");
            let rows = data.get(&("a".to_owned(), seq, true)).copied().unwrap_or(0);
            assert!(
                rows <= 1 && rows >= found(true),
                "seed {seed} seq {seq}: {rows}"
            );
        }
        assert_marks(&store).await;
    }
}

/// Vacuum put a fence between upload and entry: the files may be gone, others are written.
#[tokio::test(start_paused = true)]
async fn files_from_before_a_fence_are_not_committed_after_it() {
    use crate::lake::log::{
        FENCE,
        action::{Line, Transaction},
    };
    let store = Arc::new(InMemory::new());
    let fence = log(&store, Table::PodUsage);
    let mut settings = settings(1);
    settings.hook = Arc::new(move |point| {
        let fence = fence.clone();
        Box::pin(async move {
            if point != CrashPoint::AfterWatermark(Table::PodUsage) {
                return;
            }
            let txn = Transaction {
                app_id: FENCE.to_owned(),
                version: 1,
                last_updated: None,
            };
            let line = Line {
                txn: Some(txn),
                ..Line::default()
            };
            fence.put(1, &[line]).await.unwrap();
        })
    });
    let lake = Lake::open(store.clone(), Path::from("p"), settings)
        .await
        .unwrap();
    lake.commit(&run("a", 1, 2)).await.unwrap();
    assert_eq!(lake.counters().orphans.get(), 1);
    assert_eq!(snapshot(&store, Table::PodUsage).await.version, 2);
    assert_holds(&store, &once(&[("a", 2)])).await;
}

/// A rival commits another node between the watermark and the entry: the watermark that was raised from
/// the older state must not be named, the file may.
#[tokio::test(start_paused = true)]
async fn a_watermark_is_raised_from_the_one_before_it() {
    let store = Arc::new(InMemory::new());
    let rival = Arc::new(open(store.clone(), 1).await.unwrap());
    let mut settings = settings(2);
    let other = rival.clone();
    settings.hook = Arc::new(move |point| {
        let rival = other.clone();
        Box::pin(async move {
            if point == CrashPoint::AfterWatermark(Table::PodUsage) {
                rival.commit(&run("b", 1, 2)).await.unwrap();
            }
        })
    });
    let faulty = Faulty::new(store.clone(), |_, _| Fault::None);
    let lake = Lake::open(faulty.clone(), Path::from("p"), settings)
        .await
        .unwrap();
    lake.commit(&run("a", 1, 2)).await.unwrap();
    assert_eq!(lake.counters().conflicts.get(), 1);
    assert_eq!(lake.counters().orphans.get(), 0);
    let asked = faulty.asked.lock().unwrap().clone();
    let is_file = |(asked, path): &&(Asked, String)| {
        *asked == Asked::Put && path.starts_with("p/pod_usage/cluster=")
    };
    assert_eq!(asked.iter().filter(is_file).count(), 1, "{asked:?}");
    assert_holds(&store, &once(&[("a", 2), ("b", 2)])).await;
    rival.commit(&run("b", 1, 3)).await.unwrap();
    assert_holds(&store, &once(&[("a", 2), ("b", 3)])).await;
}
