//! A store that fails, and tables that are damaged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};
use protocol::{RefusalKind, Table};
use tokio::time::sleep;

use super::scene::*;
use crate::lake::{
    log::table_path,
    tests::{
        faulty::{Fault, Faulty},
        world::{content, once, snapshot},
    },
    watermark,
};

/// While the store is away batches are held, until there is no room; then agents are sent back. When it
/// is there again, everything is committed.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_an_hour() {
    let store = Arc::new(InMemory::new());
    let is_away = Arc::new(AtomicBool::new(false));
    let told = is_away.clone();
    let faulty = Faulty::new(store.clone(), move |_, _| {
        match told.load(Ordering::Relaxed) {
            true => Fault::Refused,
            false => Fault::None,
        }
    });
    let mut settings = settings(1);
    settings.bounds.held.batches = 20;
    let service = start_with(faulty, settings).await.unwrap();
    let committing = run(&service);
    send_seqs(&service, "a", [1]).await.unwrap();
    is_away.store(true, Ordering::Relaxed);
    for seq in 2..=20 {
        assert_eq!(send_seqs(&service, "a", [seq]).await, Ok((seq, 0, None)));
        sleep(Duration::from_secs(180)).await;
    }
    let refused = send_seqs(&service, "a", [21]).await.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Busy);
    assert!(service.lake().counters().retries.get() > 10);
    is_away.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(90)).await;
    assert_eq!(send_seqs(&service, "a", [21]).await, Ok((21, 20, None)));
    assert_eq!(content(&store, Table::PodUsage).await, once(&[("a", 20)]));
    committing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_lost_watermark_stops_the_intake_until_it_is_back() {
    let store = Arc::new(InMemory::new());
    let (one, two) = (start(&store, 1).await, start(&store, 2).await);
    let tasks = [run(&one), run(&two)];
    send_seqs(&one, "a", [1]).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let number = snapshot(&store, Table::Reconcile).await.watermark;
    let table = table_path(&Path::from("p"), Table::Reconcile);
    let path = watermark::path(&table, number);
    let content = store.get(&path).await.unwrap().bytes().await.unwrap();
    store.delete(&path).await.unwrap();
    // It must look for what it does not know, and finds it lost.
    for _ in 0..2 {
        let refused = send_seqs(&two, "a", [2]).await.unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Busy);
        assert!(refused.reason.contains(path.as_ref()), "{}", refused.reason);
        assert!(two.status().trouble.is_some());
        sleep(Duration::from_secs(20)).await;
    }
    store.put(&path, content.into()).await.unwrap();
    sleep(Duration::from_secs(20)).await;
    assert_eq!(send_seqs(&two, "a", [2]).await, Ok((2, 1, None)));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}
