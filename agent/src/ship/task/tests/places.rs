//! Where the host has several addresses.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;

use super::{Pair, epoch, run_until};
use crate::{
    http::{
        Endpoint,
        testing::{Seen, reply},
    },
    ship::{
        Settings, Shipper,
        lookup::Lookup,
        testing::{Aggregator, NAME},
    },
};

/// A name's addresses, the best one for every node first: they differ in their ports alone.
#[derive(Clone, Debug, Default)]
struct Table(Arc<Mutex<Vec<SocketAddr>>>);

impl Table {
    fn set<const N: usize>(&self, aggregators: [&Aggregator; N]) {
        *self.0.lock().unwrap() = aggregators.map(|one| one.tcp.address).to_vec();
    }
}

impl Lookup for Table {
    fn addresses(&self, host: &str, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        assert_eq!(host, NAME);
        let found = self.0.lock().unwrap().clone();
        Box::pin(async move {
            match found.is_empty() {
                true => Err(io::Error::other("no such name")),
                false => Ok(found),
            }
        })
    }
}

/// Another aggregator over the same tables.
async fn another(pair: &Pair) -> Aggregator {
    let ledger = Arc::clone(&pair.ledger);
    Aggregator::start(move |seen| ledger.lock().unwrap().answer(seen)).await
}

fn shipper(pair: &Pair, table: &Table) -> Shipper {
    pair.shipper_with(|settings| {
        by_name(settings, table);
        // Each has a CA of its own.
        settings.insecure = true;
    })
}

fn by_name(settings: &mut Settings, table: &Table) {
    settings.endpoint = Endpoint::parse(&format!("https://{NAME}:1")).unwrap();
    settings.server_name = None;
    settings.lookup = Arc::new(table.clone());
    let limits = &mut settings.limits;
    limits.pace.backoff_first = Duration::from_millis(50);
    limits.spread.lookup_every = Duration::from_millis(100);
    limits.spread.lookup_soonest = Duration::from_millis(20);
    limits.spread.move_within = Duration::from_millis(100);
}

#[tokio::test]
async fn a_name_is_looked_up_and_the_certificate_is_for_it() {
    let (pair, table) = (Pair::new().await, Table::default());
    let mut shipper = pair.shipper_with(|settings| by_name(settings, &table));
    pair.keep(epoch(1), 1..=3);
    run_until(&mut shipper, || {
        pair.view().failures.contains_key("connect")
    })
    .await;
    table.set([&pair.aggregator]);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert!(pair.aggregator.tcp.seen().is_empty(), "all by HTTP/3");
}

#[tokio::test]
async fn when_one_dies_the_next_takes_over_and_a_better_one_is_moved_to() {
    let (mut pair, table) = (Pair::new().await, Table::default());
    let second = another(&pair).await;
    table.set([&pair.aggregator, &second]);
    let mut shipper = shipper(&pair, &table);
    let tally = shipper.tally();
    pair.keep(epoch(1), 1..=3);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert!(second.seen().is_empty());
    let third = another(&pair).await;
    let first = std::mem::replace(&mut pair.aggregator, third);
    drop((first.tcp, first.udp, first.path));
    pair.keep(epoch(1), 4..=6);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert!(!second.seen().is_empty());
    // It takes the place of the dead one, at another address.
    table.set([&pair.aggregator, &second]);
    let is_there = || tally.counts().address == Some(pair.aggregator.tcp.address);
    run_until(&mut shipper, is_there).await;
    pair.keep(epoch(1), 7..=9);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert!(!pair.aggregator.seen().is_empty());
    assert_eq!(tally.counts().moves, 2);
    let came: Vec<u64> = pair.ledger().came.iter().map(|one| one.1).collect();
    assert_eq!(came, (1..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_one_address_does_not_let_through_says_nothing_of_another() {
    let (pair, table) = (Pair::new().await, Table::default());
    let second = another(&pair).await;
    pair.aggregator.path.cut();
    table.set([&pair.aggregator]);
    let mut shipper = shipper(&pair, &table);
    let tally = shipper.tally();
    pair.keep(epoch(1), 1..=1);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert_eq!(tally.counts().way, Some("http1"));
    assert_eq!(tally.counts().moves, 0, "UDP alone is no reason to move");
    table.set([&second]);
    run_until(&mut shipper, || tally.counts().moves == 1).await;
    pair.keep(epoch(1), 2..=2);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert_eq!(tally.counts().way, Some("http3"));
    assert_eq!((second.udp.seen().len(), second.tcp.seen().len()), (1, 0));
}

#[tokio::test]
async fn one_without_room_for_longer_than_it_says_is_left() {
    let (pair, table) = (Pair::new().await, Table::default());
    let busy = |_: &Seen| {
        let refusal = serde_json::json!({ "kind": "busy", "reason": "no room" });
        reply(503, refusal.to_string())
    };
    let full = Aggregator::start(busy).await;
    table.set([&full, &pair.aggregator]);
    let mut shipper = shipper(&pair, &table);
    pair.keep(epoch(1), 1..=3);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert_eq!(full.seen().len(), 2);
    assert_eq!(shipper.tally().counts().moves, 1);
}

#[tokio::test]
async fn when_all_are_gone_they_are_tried_in_turns_until_one_is_back() {
    let (pair, table) = (Pair::new().await, Table::default());
    let (second, third) = (another(&pair).await, another(&pair).await);
    table.set([&second, &third]);
    drop((second.tcp, second.udp, second.path));
    drop((third.tcp, third.udp, third.path));
    let mut shipper = shipper(&pair, &table);
    pair.keep(epoch(1), 1..=3);
    run_until(&mut shipper, || pair.view().consecutive_failures > 1).await;
    table.set([&pair.aggregator]);
    run_until(&mut shipper, || pair.is_empty()).await;
}
