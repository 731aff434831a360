//! What is taken, what is refused, and in which words.

use std::{sync::Arc, time::Duration};

use object_store::memory::InMemory;
use protocol::{Epoch, Message, RefusalKind};

use super::scene::*;
use crate::{
    intake::Amount,
    lake::tests::{
        faulty::{Asked, Fault, Faulty},
        world::NOW,
    },
};

#[tokio::test(start_paused = true)]
async fn an_answer_tells_how_far_each_epoch_is() {
    let service = start(&Arc::new(InMemory::new()), 1).await;
    let other = Epoch([9; 16]);
    let asking = Message {
        node: "a".to_owned(),
        batches: vec![frame("a", 1), frame("a", 2)],
        asks: vec![other, EPOCH],
    };
    let ack = service
        .take(None, protocol::encode_message(&asking).into())
        .await
        .unwrap();
    assert_eq!(ack.instance, service.instance());
    assert_eq!(ack.table_id, service.lake().table_id());
    let answers: Vec<_> = ack
        .answers
        .iter()
        .map(|one| (one.epoch, one.received, one.committed))
        .collect();
    assert_eq!(answers, [(EPOCH, 2, 0), (other, 0, 0)]);
    assert_eq!(send_seqs(&service, "a", [2, 3]).await, Ok((3, 0, None)));
    assert_eq!(send_seqs(&service, "a", [5]).await, Ok((3, 0, Some(4))));
}

#[tokio::test(start_paused = true)]
async fn a_node_speaks_for_itself_only() {
    let service = start(&Arc::new(InMemory::new()), 1).await;
    let refused = service
        .take(Some("a"), message("b", vec![frame("b", 1)]))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Forbidden);
    let mixed = message("a", vec![frame("a", 1), frame("b", 1)]);
    let refused = service.take(Some("a"), mixed).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.index),
        (RefusalKind::Forbidden, Some(1))
    );
    assert!(refused.reason.contains("header.node"), "{}", refused.reason);
    assert_eq!(service.status().held, Amount::default());
}

/// One bad batch spoils its message, and the refusal names it.
#[tokio::test(start_paused = true)]
async fn nothing_of_a_message_with_a_bad_batch_is_held() {
    let service = start(&Arc::new(InMemory::new()), 1).await;
    let batches = vec![frame("a", 1), b"not zstd".as_slice().into(), frame("a", 2)];
    let refused = send(&service, "a", batches).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.index),
        (RefusalKind::BadBatch, Some(1))
    );
    assert_eq!(service.status().held, Amount::default());
    let refused = service
        .take(None, b"\xff\xff".as_slice().into())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Malformed);
}

#[tokio::test(start_paused = true)]
async fn windows_too_old_or_in_the_future_are_refused_and_gaps_are_not() {
    let service = start(&Arc::new(InMemory::new()), 1).await;
    const HOUR: i64 = 3_600_000_000;
    let at = |hours: i64| {
        let mut header = header("a", 1);
        header.window_end.unix_us = NOW + hours * HOUR;
        header.window_start.unix_us = header.window_end.unix_us - 1;
        header
    };
    for (hours, words) in [(-8 * 24 - 1, "ago"), (25, "ahead")] {
        let refused = send(&service, "a", vec![frame_of(&at(hours))])
            .await
            .unwrap_err();
        assert_eq!(refused.kind, RefusalKind::BadTime);
        assert_eq!((refused.epoch, refused.seq), (Some(EPOCH), Some(1)));
        let is_told = refused.reason.contains("window_end") && refused.reason.contains(words);
        assert!(is_told, "{}", refused.reason);
    }
    for hours in [-8 * 24 + 1, 23] {
        assert!(
            send(&service, "a", vec![frame_of(&at(hours))])
                .await
                .is_ok(),
            "{hours}"
        );
    }
    let service = start(&Arc::new(InMemory::new()), 2).await;
    assert!(
        send(&service, "a", vec![gap_frame(&at(-9 * 24))])
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn only_its_first_batch_opens_an_epoch() {
    let service = start(&Arc::new(InMemory::new()), 1).await;
    let refused = send_seqs(&service, "a", [2]).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.seq),
        (RefusalKind::UnknownEpoch, Some(2))
    );
    assert_eq!(refused.kind.status(), 409);
    assert_eq!(send_seqs(&service, "a", [1, 2]).await, Ok((2, 0, None)));
}

/// What another aggregator committed meanwhile is found before anything is asked for again.
#[tokio::test(start_paused = true)]
async fn the_ledger_is_read_before_an_earlier_batch_is_asked_for() {
    let store = Arc::new(InMemory::new());
    let (one, two) = (start(&store, 1).await, start(&store, 2).await);
    assert_eq!(send_seqs(&two, "a", [1]).await, Ok((1, 0, None)));
    assert_eq!(send_seqs(&one, "a", 1..=5).await, Ok((5, 0, None)));
    let committing = run(&one);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(send_seqs(&two, "a", [6]).await, Ok((6, 5, None)));
    // And an epoch of which it knew nothing.
    let three = start(&store, 3).await;
    assert_eq!(send_seqs(&one, "b", 1..=2).await, Ok((2, 0, None)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(send_seqs(&three, "b", [3]).await, Ok((3, 2, None)));
    committing.abort();
}

/// Many who ask at once share one reading of the ledger, and a flood is slowed down.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_reach_the_store() {
    let faulty = Faulty::new(Arc::new(InMemory::new()), |_, _| Fault::None);
    let service = start_with(faulty.clone(), settings(1)).await.unwrap();
    let lists = || {
        faulty
            .asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| asked.0 == Asked::List)
            .count()
    };
    let before = lists();
    let begin = tokio::time::Instant::now();
    let ask = |number: usize| {
        let service = service.clone();
        async move {
            for _ in 0..3 {
                let refused = send_seqs(&service, &format!("n{number}"), [7])
                    .await
                    .unwrap_err();
                assert_eq!(refused.kind, RefusalKind::UnknownEpoch);
            }
        }
    };
    futures_util::future::join_all((0..500).map(ask)).await;
    let (asked, took) = (lists() - before, begin.elapsed());
    assert!((3..=5).contains(&asked), "{asked} readings in {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_is_sent_back() {
    let mut settings = settings(1);
    settings.bounds.held.batches = 2;
    let service = start_with(Arc::new(InMemory::new()), settings)
        .await
        .unwrap();
    let refused = send_seqs(&service, "a", 1..=3).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.kind.status()),
        (RefusalKind::Busy, 503)
    );
    let committing = run(&service);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(send_seqs(&service, "a", 1..=3).await, Ok((3, 2, None)));
    committing.abort();
}
