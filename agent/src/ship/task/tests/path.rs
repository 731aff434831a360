//! Where UDP does not get through, and where it does again.

use std::time::{Duration, Instant};

use super::{Pair, epoch, run_until};
use crate::{
    config::Transport,
    health::Condition,
    http::testing::Authority,
    ship::{Settings, testing::NAME},
};

fn probe_soon(settings: &mut Settings) {
    settings.limits.probes.probe_first = Duration::from_millis(300);
    settings.limits.probes.probe_every = Duration::from_millis(300);
}

#[tokio::test]
async fn where_udp_vanishes_http1_delivers_within_3_seconds_and_http3_after_healing() {
    let pair = Pair::new().await;
    let mut shipper = pair.shipper_with(probe_soon);
    let tally = shipper.tally();
    pair.keep(epoch(1), 1..=1);
    run_until(&mut shipper, || pair.is_empty()).await;
    pair.aggregator.path.cut();
    pair.keep(epoch(1), 2..=2);
    let begun = Instant::now();
    run_until(&mut shipper, || pair.is_empty()).await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(pair.aggregator.tcp.seen().len(), 1);
    let is_probed = || tally.counts().probes.contains_key("silent");
    run_until(&mut shipper, is_probed).await;
    assert_eq!(tally.counts().way, Some("http1"));
    pair.keep(epoch(1), 3..=3);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert_eq!(pair.view().condition, Condition::Working);
    pair.aggregator.path.heal();
    run_until(&mut shipper, || tally.counts().way == Some("http3")).await;
    pair.keep(epoch(1), 4..=4);
    run_until(&mut shipper, || pair.is_empty()).await;
    assert_eq!(
        pair.aggregator.tcp.seen().len(),
        2,
        "the last went by HTTP/3"
    );
    let counts = tally.counts();
    assert_eq!((counts.turns, counts.probes["ok"]), (2, 1));
    assert_eq!(counts.requests[&("http3", "silent")], 1);
    let came: Vec<u64> = pair.ledger().came.iter().map(|one| one.1).collect();
    assert_eq!(came, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_start_without_udp_is_on_http1_within_3_seconds() {
    let pair = Pair::new().await;
    pair.aggregator.path.cut();
    pair.keep(epoch(1), 1..=1);
    let begun = Instant::now();
    run_until(&mut pair.shipper(), || pair.is_empty()).await;
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn http1_alone_takes_no_udp_and_http3_alone_no_tcp() {
    let pair = Pair::new().await;
    pair.keep(epoch(1), 1..=1);
    let mut only1 = pair.shipper_with(|settings| settings.transport = Transport::Http1);
    run_until(&mut only1, || pair.is_empty()).await;
    assert_eq!(pair.aggregator.udp.connections(), 0);
    pair.aggregator.path.cut();
    pair.keep(epoch(1), 2..=2);
    let mut only3 = pair.shipper_with(|settings| settings.transport = Transport::Http3);
    run_until(&mut only3, || pair.view().failures.contains_key("silent")).await;
    assert_eq!(pair.aggregator.tcp.connections(), 1);
    pair.aggregator.path.heal();
    run_until(&mut only3, || pair.is_empty()).await;
}

#[tokio::test]
async fn an_aggregator_that_is_not_believed_is_told_and_gets_nothing() {
    let pair = Pair::new().await;
    let settings = pair.aggregator.settings();
    std::fs::write(&settings.ca_file, Authority::named("stranger").pem()).unwrap();
    std::fs::write(&settings.token_file, "s3cr3t").unwrap();
    pair.keep(epoch(1), 1..=1);
    let mut shipper = pair.shipper_with(|settings| {
        settings.limits.pace.backoff_first = Duration::from_millis(10);
    });
    run_until(&mut shipper, || pair.view().consecutive_failures > 1).await;
    let Condition::Failing(message) = pair.view().condition else {
        panic!("{:?}", pair.view());
    };
    assert!(message.contains("unknown issuer"), "{message}");
    assert!(pair.view().failures["tls"] > 0);
    assert!(pair.aggregator.seen().is_empty(), "no token was shown");
    std::fs::write(&settings.ca_file, pair.aggregator.authority.pem()).unwrap();
    run_until(&mut shipper, || pair.is_empty()).await;
    let next = pair.aggregator.authority.certify(NAME);
    pair.aggregator.udp.certify(&next);
    pair.keep(epoch(1), 2..=2);
    run_until(&mut shipper, || pair.is_empty()).await;
}
