//! When it commits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use object_store::memory::InMemory;
use protocol::Table;
use tokio::time::{Instant, sleep};

use super::scene::*;
use crate::{
    lake::tests::world::{content, once},
    service::Ready,
};

/// Time until everything held is committed.
async fn committed_after(service: &crate::service::Service, seq: u64) -> Duration {
    let begin = Instant::now();
    loop {
        let answer = send_seqs(service, "a", [seq]).await.unwrap();
        if answer.1 == seq {
            return begin.elapsed();
        }
        sleep(Duration::from_millis(200)).await;
        assert!(begin.elapsed() < Duration::from_secs(100), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn by_age_alone() {
    let store = Arc::new(InMemory::new());
    let service = start(&store, 1).await;
    let committing = run(&service);
    for seq in 1..=4 {
        send_seqs(&service, "a", [seq]).await.unwrap();
        let waited = committed_after(&service, seq).await;
        let expected = Duration::from_secs(24)..=Duration::from_secs(31);
        assert!(expected.contains(&waited), "{waited:?}");
        sleep(Duration::from_secs(50)).await;
    }
    assert_eq!(content(&store, Table::PodUsage).await, once(&[("a", 4)]));
    assert_eq!(
        service.tally().cycles.get(),
        4,
        "nothing is committed while nothing is held"
    );
    committing.abort();
}

#[tokio::test(start_paused = true)]
async fn by_rows_alone_and_by_bytes_alone() {
    for by_rows in [true, false] {
        let store = Arc::new(InMemory::new());
        let mut settings = settings(1);
        settings.when.age = Duration::from_secs(3_600);
        if by_rows {
            settings.when.rows = 6;
        } else {
            settings.when.bytes = 3 * 256 + 1;
        }
        let service = start_with(store.clone(), settings).await.unwrap();
        let committing = run(&service);
        send_seqs(&service, "a", [1]).await.unwrap();
        sleep(Duration::from_secs(600)).await;
        assert_eq!(
            send_seqs(&service, "a", [1]).await,
            Ok((1, 0, None)),
            "too few"
        );
        send_seqs(&service, "a", [2, 3]).await.unwrap();
        assert!(committed_after(&service, 3).await < Duration::from_secs(5));
        committing.abort();
    }
}

/// Until what is known of pods is whole, rows wait for it, yet never longer than their age.
#[tokio::test(start_paused = true)]
async fn before_it_is_ready_by_age_alone() {
    let store = Arc::new(InMemory::new());
    let is_ready = Arc::new(AtomicBool::new(false));
    let mut settings = settings(1);
    settings.when.rows = 2;
    settings.when.bytes = 1;
    let told = Arc::clone(&is_ready);
    settings.ready = Ready(Arc::new(move || told.load(SeqCst)));
    let service = start_with(store.clone(), settings).await.unwrap();
    let committing = run(&service);
    send_seqs(&service, "a", [1, 2]).await.unwrap();
    let waited = committed_after(&service, 2).await;
    let expected = Duration::from_secs(24)..=Duration::from_secs(31);
    assert!(expected.contains(&waited), "{waited:?}");
    send_seqs(&service, "a", [3]).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    is_ready.store(true, SeqCst);
    send_seqs(&service, "a", [4]).await.unwrap();
    assert!(committed_after(&service, 4).await < Duration::from_secs(1));
    committing.abort();
}

/// What waits behind a gap is not kept waiting for its age.
#[tokio::test(start_paused = true)]
async fn gaps_are_committed_one_after_the_other_without_a_pause() {
    let store = Arc::new(InMemory::new());
    let service = start(&store, 1).await;
    let committing = run(&service);
    let mut batches = vec![frame("a", 1)];
    batches.extend((2..=20).map(|seq| gap_frame(&header("a", seq))));
    batches.push(frame("a", 21));
    send(&service, "a", batches).await.unwrap();
    assert!(committed_after(&service, 21).await < Duration::from_secs(35));
    assert_eq!(content(&store, Table::Reconcile).await.len(), 21);
    assert_eq!(content(&store, Table::PodUsage).await.len(), 2);
    committing.abort();
}

#[tokio::test(start_paused = true)]
async fn stopping_commits_what_is_held() {
    let store = Arc::new(InMemory::new());
    let service = start(&store, 1).await;
    let committing = run(&service);
    send_seqs(&service, "a", 1..=3).await.unwrap();
    let begin = Instant::now();
    service.stop();
    assert_eq!(
        send_seqs(&service, "a", [4]).await.unwrap_err().reason,
        "it is stopping"
    );
    committing.await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(content(&store, Table::PodUsage).await, once(&[("a", 3)]));
    assert_eq!(service.status().held.batches, 0);
    assert!(service.status().is_stopping);
    // Told to stop when there is nothing, it returns at once.
    let service = start(&store, 2).await;
    service.stop();
    service.run().await;
}

/// An agent that sends everything to two aggregators, as when it moves back and forth.
#[tokio::test(start_paused = true)]
async fn an_agent_between_two_aggregators_is_committed_once() {
    let store = Arc::new(InMemory::new());
    let services = [start(&store, 1).await, start(&store, 2).await];
    let tasks: Vec<_> = services.iter().map(run).collect();
    for seq in 1..=40_u64 {
        for service in &services {
            send_seqs(service, "a", seq.saturating_sub(5).max(1)..=seq)
                .await
                .unwrap();
        }
        sleep(Duration::from_secs(7)).await;
    }
    for service in &services {
        service.stop();
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(content(&store, Table::PodUsage).await, once(&[("a", 40)]));
    assert_eq!(content(&store, Table::Reconcile).await, once(&[("a", 40)]));
}
