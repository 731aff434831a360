//! What answers, refusals and faults of the spool lead to.

use std::time::{Duration, Instant};

use protocol::{Epoch, RefusalKind};

use super::{
    super::{Shipper, Store},
    Pair, epoch,
    ledger::{refusal, refused},
    run_until, until, with,
};
use crate::{
    config::Transport,
    health::Condition,
    http::testing::reply,
    ship::delivery::Queue,
    spool::{Spool, SpoolError, Waiting},
};

#[tokio::test]
async fn what_comes_is_sent_once_and_deleted_when_it_is_committed() {
    let pair = Pair::new().await;
    let mut shipper = pair.shipper();
    pair.keep(epoch(1), 1..=3);
    pair.ledger().commits = false;
    with(&mut shipper, async {
        until(|| pair.ledger().came.len() == 3).await;
        pair.keep(epoch(1), 4..=4);
        until(|| pair.ledger().came.len() == 4).await;
        assert!(!pair.is_empty(), "received is not committed");
        pair.ledger().commits = true;
        until(|| pair.is_empty()).await;
    })
    .await;
    let came: Vec<u64> = pair.ledger().came.iter().map(|one| one.1).collect();
    assert_eq!(came, [1, 2, 3, 4]);
    let counts = shipper.tally().counts();
    assert_eq!((counts.batches, counts.bytes), (4, 4 * 24));
    assert!(counts.requests[&("http3", "ok")] >= 3 && counts.last_committed.is_some());
    assert_eq!(counts.durations.count, counts.requests[&("http3", "ok")]);
    assert_eq!(pair.view().condition, Condition::Working);
    assert_eq!(pair.aggregator.udp.connections(), 1);
}

#[tokio::test]
async fn an_aggregator_that_starts_anew_gets_again_what_it_had_not_committed() {
    let pair = Pair::new().await;
    let mut shipper = pair.shipper();
    pair.keep(epoch(1), 1..=3);
    pair.ledger().commits = false;
    let tally = shipper.tally();
    with(&mut shipper, async {
        until(|| tally.counts().batches == 3).await;
        {
            let mut ledger = pair.ledger();
            ledger.instance = 2;
            ledger.received.clear();
            ledger.committed.insert(epoch(1), 1);
        }
        pair.keep(epoch(1), 4..=4);
        until(|| pair.ledger().received.get(&epoch(1)) == Some(&4)).await;
    })
    .await;
    let came: Vec<u64> = pair.ledger().came.iter().map(|one| one.1).collect();
    assert_eq!(came, [1, 2, 3, 4, 2, 3, 4]);
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let pair = Pair::new().await;
    let mut busy = refused(&refusal(RefusalKind::Busy));
    busy.headers_mut()
        .insert("retry-after", "1".parse().unwrap());
    pair.ledger().script.push_back(busy);
    let mut shipper = pair.shipper();
    pair.keep(epoch(1), 1..=1);
    let begun = Instant::now();
    run_until(&mut shipper, || pair.view().consecutive_failures > 0).await;
    assert!(matches!(pair.view().condition, Condition::Failing(_)));
    assert_eq!(pair.view().failures["busy"], 1);
    run_until(&mut shipper, || pair.is_empty()).await;
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(3),
        "{took:?}"
    );
    assert_eq!(pair.view().condition, Condition::Working);
}

#[tokio::test]
async fn a_gap_takes_the_place_of_a_batch_that_nobody_takes() {
    let pair = Pair::new().await;
    pair.ledger().bad = Some((epoch(1), 2));
    pair.keep(epoch(1), 1..=3);
    let mut shipper = pair.shipper();
    run_until(&mut shipper, || pair.is_empty()).await;
    assert_eq!(pair.ledger().gaps, [(epoch(1), 2)]);
    assert_eq!(pair.view().failures["given_up"], 1);
    assert_eq!(shipper.tally().counts().given_up, 1);
}

#[tokio::test]
async fn what_is_no_aggregators_answer_is_told_by_its_kind() {
    let pair = Pair::new().await;
    let answers = [
        (reply(502, "<html>"), "status"),
        (reply(200, "\u{7f}no answer"), "answer"),
        (refused(&refusal(RefusalKind::Unauthorized)), "unauthorized"),
        (reply(200, vec![0; 300_000]), "too_large"),
    ];
    let mut shipper = pair.shipper_with(|settings| {
        settings.limits.pace.backoff_first = Duration::from_millis(10);
    });
    pair.keep(epoch(1), 1..=1);
    pair.ledger()
        .script
        .extend(answers.iter().map(|one| one.0.clone()));
    run_until(&mut shipper, || pair.is_empty()).await;
    for (_, kind) in answers {
        assert_eq!(pair.view().failures[kind], 1, "{kind}");
    }
}

#[tokio::test]
async fn another_table_is_told_and_deletes_nothing() {
    let pair = Pair::new().await;
    pair.spool.borrow_mut().table_id("table-0").unwrap();
    pair.keep(epoch(1), 1..=2);
    let mut shipper = pair.shipper();
    run_until(&mut shipper, || {
        pair.view().failures.contains_key("other_table")
    })
    .await;
    assert!(!pair.is_empty());
    let Condition::Failing(message) = pair.view().condition else {
        panic!("{:?}", pair.view());
    };
    assert!(message.contains("table-0"), "{message}");
}

#[tokio::test]
async fn the_last_try_sends_what_waits_and_ends_in_time() {
    let pair = Pair::new().await;
    let mut shipper = pair.shipper();
    pair.ledger()
        .script
        .push_back(refused(&refusal(RefusalKind::Busy)));
    pair.keep(epoch(1), 1..=2);
    run_until(&mut shipper, || pair.view().consecutive_failures > 0).await;
    pair.keep(epoch(1), 3..=3);
    shipper.drain(Duration::from_secs(5)).await;
    assert!(pair.is_empty(), "whatever the wait");
    pair.keep(epoch(1), 4..=4);
    pair.aggregator.path.cut();
    let mut shipper = pair.shipper_with(|settings| settings.transport = Transport::Http3);
    let begun = Instant::now();
    shipper.drain(Duration::from_millis(300)).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(!pair.is_empty(), "it waits for the next start");
}

#[tokio::test]
async fn a_loop_that_is_dropped_amid_an_exchange_can_still_drain() {
    let pair = Pair::new().await;
    pair.keep(epoch(1), 1..=1);
    let mut shipper = pair.shipper();
    {
        let mut run = std::pin::pin!(shipper.run());
        // Polled once: the message is on its way now.
        assert!(futures_util::poll!(&mut run).is_pending());
    }
    shipper.drain(Duration::from_secs(5)).await;
    assert!(pair.is_empty());
}

/// A spool that can't be read at first.
struct Unreadable {
    spool: Spool,
    failures: std::cell::Cell<u32>,
}

impl Queue for Unreadable {
    type Error = SpoolError;

    fn waiting(&self) -> Vec<Waiting> {
        self.spool.waiting()
    }

    fn read(
        &self,
        epoch: Epoch,
        seq: u64,
        bytes: usize,
    ) -> Result<Vec<(u64, bytes::Bytes)>, SpoolError> {
        let left = self.failures.get();
        if left > 0 {
            self.failures.set(left - 1);
            return Err(SpoolError::Lost {
                aside: "/aside".into(),
                reason: "a test".into(),
            });
        }
        self.spool.read(epoch, seq, bytes)
    }

    fn table_id(&mut self, seen: &str) -> Result<String, SpoolError> {
        self.spool.table_id(seen)
    }
}

impl Store for Unreadable {
    fn committed(&mut self, epoch: Epoch, seq: u64) -> Result<(), SpoolError> {
        self.spool.committed(epoch, seq)
    }

    fn give_up(&mut self, epoch: Epoch, seq: u64, message: &str) -> Result<(), SpoolError> {
        Store::give_up(&mut self.spool, epoch, seq, message)
    }
}

#[tokio::test]
async fn a_spool_that_cannot_be_read_is_told_and_tried_again() {
    let pair = Pair::new().await;
    pair.keep(epoch(1), 1..=1);
    let Pair {
        aggregator,
        spool,
        grown,
        health,
        ..
    } = pair;
    let spool = std::rc::Rc::into_inner(spool).unwrap().into_inner();
    let spool = std::rc::Rc::new(std::cell::RefCell::new(Unreadable {
        spool,
        failures: std::cell::Cell::new(2),
    }));
    let queue = (std::rc::Rc::clone(&spool), grown);
    let settings = aggregator.settings();
    let mut shipper = Shipper::new(settings, "node-1".into(), queue, health.clone(), 1).unwrap();
    let emptied = until(|| spool.borrow().waiting().is_empty());
    with(&mut shipper, emptied).await;
    assert_eq!(health.view().failures["spool"], 2);
    assert_eq!(health.view().condition, Condition::Working);
}
