//! One aggregator and a store that fails.

use std::time::Duration;

use bytes::Bytes;

use super::{
    faulty::{Asked, Fault, Faulty},
    *,
};

#[tokio::test(start_paused = true)]
async fn what_is_sealed_is_in_every_table_once() {
    let store = Arc::new(InMemory::new());
    let lake = open(store.clone(), 1).await.unwrap();
    let first = lake.commit(&run("a", 1, 3)).await.unwrap();
    assert_eq!(first.seq(&batch("a", 1).sender), 3);
    // What was committed before is not committed again.
    lake.commit(&run("a", 2, 5)).await.unwrap();
    lake.commit(&run("a", 2, 5)).await.unwrap();
    assert_holds(&store, &once(&[("a", 5)])).await;
    assert_eq!(snapshot(&store, Table::Reconcile).await.version, 2);
    assert_eq!(
        snapshot(&store, Table::Events).await.version,
        0,
        "nothing to write there"
    );
    assert_eq!(lake.counters().orphans.get(), 0);
}

/// Each put in turn fails in each way: of data files, watermarks and log entries, with the retry told
/// that its own first put has taken the name.
#[tokio::test(start_paused = true)]
async fn one_put_that_fails_loses_and_repeats_nothing() {
    let late = Fault::Late(Duration::from_millis(50));
    let later = Fault::Late(Duration::from_secs(300));
    for fault in [Fault::Refused, Fault::AnswerLost, late, later] {
        for failing in 0..9 {
            let store = Arc::new(InMemory::new());
            drop(open(store.clone(), 1).await.unwrap());
            let mut puts = 0;
            let faulty = Faulty::new(store.clone(), move |asked, path| {
                if asked != Asked::Put || path.as_ref().contains("probe") {
                    return Fault::None;
                }
                puts += 1;
                if puts == failing + 1 {
                    fault
                } else {
                    Fault::None
                }
            });
            let lake = open(faulty.clone(), 2).await.unwrap();
            lake.commit(&run("a", 1, 2)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(400)).await;
            lake.commit(&run("a", 3, 4)).await.unwrap();
            assert_holds(&store, &once(&[("a", 4)])).await;
            let puts = faulty
                .asked
                .lock()
                .unwrap()
                .iter()
                .filter(|asked| asked.0 == Asked::Put)
                .count();
            assert!(puts >= 19, "{puts} puts");
        }
    }
}

/// A store that fails for half an hour: the commit waits, asks rarely, and leaves no file behind that
/// nothing names.
#[tokio::test(start_paused = true)]
async fn a_long_brown_out_leaves_nothing_behind() {
    let store = Arc::new(InMemory::new());
    drop(open(store.clone(), 1).await.unwrap());
    let begin = tokio::time::Instant::now();
    let mut asked = 0_u64;
    let faulty = Faulty::new(store.clone(), move |_, _| {
        asked += 1;
        let is_over = begin.elapsed() > Duration::from_secs(1_800);
        if is_over || asked.is_multiple_of(10) {
            Fault::None
        } else {
            Fault::Refused
        }
    });
    let lake = loop {
        match open(faulty.clone(), 2).await {
            Ok(lake) => break lake,
            Err(error) => assert!(error.may_pass(), "{error}"),
        }
    };
    let mut last = 0;
    while begin.elapsed() < Duration::from_secs(1_800) {
        lake.commit(&run("a", last + 1, last + 3)).await.unwrap();
        last += 3;
    }
    let asked = faulty.asked.lock().unwrap().len();
    assert!(asked < 3_000, "{asked} requests in half an hour");
    assert_holds(&store, &once(&[("a", last)])).await;
    assert_eq!(lake.counters().orphans.get(), 0);
    let begin = tokio::time::Instant::now();
    for _ in 0..10 {
        lake.commit(&run("a", last + 1, last + 3)).await.unwrap();
        last += 3;
    }
    assert!(
        begin.elapsed() < Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
    let mut files = 0;
    for table in Table::ALL {
        files += snapshot(&store, table).await.files.unwrap().len();
    }
    let objects = plain_store(store.clone())
        .list(&Path::from("p"), None)
        .await
        .unwrap();
    let parts = objects
        .iter()
        .filter(|object| object.location.as_ref().ends_with(".parquet"));
    assert_eq!(parts.count(), files, "no orphans");
}

#[tokio::test(start_paused = true)]
async fn gaps_are_in_the_ledger_only() {
    let store = Arc::new(InMemory::new());
    let lake = open(store.clone(), 1).await.unwrap();
    lake.commit(&run("a", 1, 2)).await.unwrap();
    lake.commit(&sealed([gap("a", 3)])).await.unwrap();
    lake.commit(&run("a", 4, 4)).await.unwrap();
    let ledger = content(&store, Table::Reconcile).await;
    assert_eq!(ledger.get(&("a".to_owned(), 3, false)), Some(&1));
    assert_eq!(ledger.len(), 4);
    assert_eq!(content(&store, Table::PodUsage).await.len(), 3);
    assert_marks(&store).await;
}

/// Several clusters are several partitions: one entry, a file for each, under names that read back.
#[tokio::test(start_paused = true)]
async fn partitions_of_any_name_are_one_entry() {
    let store = Arc::new(InMemory::new());
    let lake = open(store.clone(), 1).await.unwrap();
    let mut batches: Vec<Held> = ["a", "b"].iter().map(|node| batch(node, 1)).collect();
    batches[1].cluster = "prod/eu west%1".into();
    lake.commit(&sealed(batches)).await.unwrap();
    let snapshot = snapshot(&store, Table::PodUsage).await;
    assert_eq!(snapshot.version, 1);
    let files = snapshot.files.unwrap();
    let clusters: Vec<_> = files
        .values()
        .map(|file| file.partition["cluster"].clone())
        .collect();
    assert_eq!(
        clusters,
        [Some("c".to_owned()), Some("prod/eu west%1".to_owned())]
    );
    assert_eq!(
        files
            .values()
            .map(crate::lake::log::File::rows)
            .collect::<Vec<_>>(),
        [Some(2), Some(2)]
    );
    assert_holds(&store, &once(&[("a", 1), ("b", 1)])).await;
}

/// A log that was cleaned while a writer slept: its entry lands where nobody reads it, and the
/// checkpoint beyond it tells.
#[tokio::test(start_paused = true)]
async fn an_entry_below_a_checkpoint_does_not_count() {
    let store = Arc::new(InMemory::new());
    let lake = open(store.clone(), 1).await.unwrap();
    let before = snapshot(&store, Table::PodUsage).await;
    let cleaned = store.clone();
    let mut puts = 0;
    let faulty = Faulty::new(store.clone(), move |asked, path| {
        let is_entry = asked == Asked::Put && path.as_ref().starts_with("p/pod_usage/_delta_log");
        puts += u64::from(is_entry);
        if is_entry && puts == 1 {
            // Up to version 7 others wrote, then one made a checkpoint and cleaned.
            clean(&cleaned, &before);
        }
        Fault::None
    });
    drop(lake);
    let lake = open(faulty, 2).await.unwrap();
    lake.commit(&run("a", 1, 1)).await.unwrap();
    assert_eq!(lake.counters().conflicts.get(), 1);
    assert_eq!(snapshot(&store, Table::PodUsage).await.version, 8);
    assert_holds(&store, &once(&[("a", 1)])).await;
}

fn clean(store: &Arc<InMemory>, before: &crate::lake::log::Snapshot) {
    let folder = "p/pod_usage/_delta_log";
    let checkpoint = crate::lake::log::tests::checkpoint(&before.metadata, &[], &[]);
    let put = |name: &str, content: Bytes| {
        let path = Path::from(format!("{folder}/{name}"));
        let put = store.put(&path, content.into());
        futures_util::FutureExt::now_or_never(put).unwrap().unwrap();
    };
    put("00000000000000000007.checkpoint.parquet", checkpoint);
    put("_last_checkpoint", r#"{"version":7,"size":3}"#.into());
    let first = Path::from(format!("{folder}/00000000000000000000.json"));
    futures_util::FutureExt::now_or_never(store.delete(&first))
        .unwrap()
        .unwrap();
}
