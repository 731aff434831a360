//! Both ways against real sockets.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Settings, ShipError, Way,
    exchange::{Answered, Failure},
    link::Link,
    testing::{Aggregator, ENDLESS, NAME, Server3, UNREAD},
};
use crate::http::{
    Endpoint,
    testing::{Authority, Reply, Seen, reply},
};

fn echo(seen: &Seen) -> Reply {
    reply(200, seen.body.clone())
}

fn link(settings: Settings) -> Link {
    Link::new(settings).unwrap()
}

async fn post(link: &mut Link, way: Way, body: &'static [u8]) -> Result<Answered, Failure> {
    link.post(way, Bytes::from_static(body)).await
}

async fn failure(settings: Settings, way: Way) -> Failure {
    post(&mut link(settings), way, b"x").await.unwrap_err()
}

#[tokio::test]
async fn one_connection_serves_all_requests_of_a_way() {
    let aggregator = Aggregator::start(echo).await;
    std::fs::write(aggregator.files.path().join("token"), "first\n").unwrap();
    let mut link = link(aggregator.settings());
    let large = Bytes::from((0..3_000_000_u32).map(|n| n as u8).collect::<Vec<_>>());
    let mut settings = aggregator.settings();
    settings.limits.most_answer_bytes = 4 << 20;
    let mut roomy = Link::new(settings).unwrap();
    for way in Way::ALL {
        for _ in 0..3 {
            let answer = post(&mut link, way, b"\x00\xffabc").await.unwrap();
            assert_eq!(
                (answer.status, &answer.body[..]),
                (200, &b"\x00\xffabc"[..])
            );
        }
        let answer = roomy.post(way, large.clone()).await.unwrap();
        assert_eq!(answer.body, large);
    }
    assert_eq!(
        (aggregator.udp.connections(), aggregator.tcp.connections()),
        (2, 2)
    );
    for seen in aggregator.seen() {
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str()),
            ("POST", "/v1/batches")
        );
        assert_eq!(seen.headers["authorization"], "Bearer first");
        assert_eq!(seen.headers["content-type"], "application/x-protobuf");
    }
}

#[tokio::test]
async fn a_wrong_authority_is_refused_in_words_on_both_ways() {
    let aggregator = Aggregator::start(echo).await;
    let stranger = Authority::named("another");
    std::fs::write(aggregator.settings().ca_file, stranger.pem()).unwrap();
    for way in Way::ALL {
        let failure = failure(aggregator.settings(), way).await;
        let text = failure.error.to_string();
        assert_eq!(failure.error.kind(), "tls", "{text}");
        assert!(text.contains("unknown issuer"), "{way:?}: {text}");
    }
    assert!(aggregator.seen().is_empty());
    let mut settings = aggregator.settings();
    settings.insecure = true;
    let mut believing = link(settings);
    for way in Way::ALL {
        assert_eq!(post(&mut believing, way, b"x").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_wrong_name_is_refused_in_words_on_both_ways() {
    let aggregator = Aggregator::start_as("other.test", echo).await;
    for way in Way::ALL {
        let failure = failure(aggregator.settings(), way).await;
        let text = failure.error.to_string();
        assert_eq!(failure.error.kind(), "tls", "{text}");
        assert!(text.contains("wrong name"), "{way:?}: {text}");
    }
    assert!(aggregator.seen().is_empty());
}

#[tokio::test]
async fn files_that_are_of_no_use_are_named() {
    let aggregator = Aggregator::start(echo).await;
    let settings = aggregator.settings();
    std::fs::write(&settings.token_file, "two words").unwrap();
    let error = failure(settings.clone(), Way::Http3).await;
    assert_eq!(
        (error.error.kind(), error.is_of_the_way),
        ("token_file", false)
    );
    assert!(!error.error.to_string().contains("two words"));
    for content in [Some("no PEM"), None] {
        match content {
            Some(content) => std::fs::write(&settings.ca_file, content).unwrap(),
            None => std::fs::remove_file(&settings.ca_file).unwrap(),
        }
        let error = failure(settings.clone(), Way::Http1).await.error;
        assert_eq!(error.kind(), "ca_file");
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}

#[tokio::test]
async fn rotated_files_are_used_from_the_next_request_on() {
    let mut aggregator = Aggregator::start(echo).await;
    let settings = aggregator.settings();
    let mut link = link(settings.clone());
    std::fs::write(&settings.token_file, "first").unwrap();
    post(&mut link, Way::Http3, b"x").await.unwrap();
    aggregator.authority = Authority::named("next");
    aggregator.udp.certify(&aggregator.authority.certify(NAME));
    let error = post(&mut link, Way::Http3, b"x").await.unwrap_err().error;
    assert_eq!(error.kind(), "tls", "{error}");
    std::fs::write(&settings.ca_file, "half a file").unwrap();
    post(&mut link, Way::Http3, b"x").await.unwrap_err();
    assert_eq!(
        link.trouble().map(|trouble| trouble.kind()),
        Some("ca_file")
    );
    post(&mut link, Way::Http3, b"x").await.unwrap_err();
    assert!(link.trouble().is_none(), "once is enough");
    std::fs::write(&settings.ca_file, aggregator.authority.pem()).unwrap();
    std::fs::write(&settings.token_file, "second").unwrap();
    post(&mut link, Way::Http3, b"x").await.unwrap();
    let seen = aggregator.udp.seen();
    assert_eq!(seen[0].headers["authorization"], "Bearer first");
    assert_eq!(seen[1].headers["authorization"], "Bearer second");
}

#[tokio::test]
async fn too_large_an_answer_is_no_fault_of_the_way() {
    let aggregator = Aggregator::start(|_| reply(200, vec![0; 300_000])).await;
    let mut link = link(aggregator.settings());
    for way in Way::ALL {
        let failure = post(&mut link, way, b"x").await.unwrap_err();
        assert_eq!(
            (failure.error.kind(), failure.is_of_the_way),
            ("too_large", false)
        );
    }
    post(&mut link, Way::Http3, b"x").await.unwrap_err();
    assert_eq!(aggregator.udp.connections(), 1, "it is kept");
}

#[tokio::test]
async fn too_large_an_answer_is_given_up_while_more_of_it_is_awaited() {
    let aggregator = Aggregator::start(|_| reply(200, vec![0; 200])).await;
    let mut settings = settings_for(&aggregator, ENDLESS);
    settings.limits.most_answer_bytes = 100;
    let mut link = link(settings);
    for _ in 0..2 {
        let failure = post(&mut link, Way::Http3, b"x").await.unwrap_err();
        assert_eq!(failure.error.kind(), "too_large");
    }
    assert_eq!(aggregator.udp.connections(), 1, "it is kept");
}

#[tokio::test]
async fn a_refusal_before_the_whole_was_read_is_understood() {
    let aggregator = Aggregator::start(|_| reply(413, "no")).await;
    let mut link = link(settings_for(&aggregator, UNREAD));
    let body = Bytes::from(vec![1; 8 << 20]);
    let answer = link.post(Way::Http3, body).await.unwrap();
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_connection_that_the_server_ended_is_opened_anew_at_once() {
    let aggregator = Aggregator::start(echo).await;
    let mut link = link(aggregator.settings());
    for expected in 1..4 {
        post(&mut link, Way::Http3, b"x").await.unwrap();
        assert_eq!(aggregator.udp.connections(), expected);
        aggregator.udp.end_connections();
    }
}

#[tokio::test]
async fn where_udp_vanishes_http3_is_silent_and_not_for_long() {
    let aggregator = Aggregator::start(echo).await;
    let mut link = link(aggregator.settings());
    post(&mut link, Way::Http3, b"x").await.unwrap();
    aggregator.path.cut();
    // First the kept connection, then a new one.
    for _ in 0..2 {
        let begun = Instant::now();
        let failure = post(&mut link, Way::Http3, b"x").await.unwrap_err();
        assert_eq!(
            (failure.error.kind(), failure.is_of_the_way),
            ("silent", true)
        );
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(1_400) && took < Duration::from_millis(2_200),
            "{took:?}"
        );
    }
    aggregator.path.heal();
    post(&mut link, Way::Http3, b"x").await.unwrap();
}

#[tokio::test]
async fn where_udp_vanishes_while_an_answer_is_awaited_that_is_noticed() {
    let mut aggregator = Aggregator::start(echo).await;
    let is_cut = aggregator.path.switch();
    let cut = move |seen: &Seen| {
        is_cut.store(true, Ordering::Relaxed);
        echo(seen)
    };
    // The request is acknowledged long before the path is cut.
    restart(&mut aggregator, cut, Duration::from_millis(1_000));
    let begun = Instant::now();
    let failure = failure(aggregator.settings(), Way::Http3).await;
    assert!(
        matches!(failure.error, ShipError::Silent { .. }),
        "{}",
        failure.error
    );
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(3_500), "{took:?}");
}

#[tokio::test]
async fn where_only_our_packets_vanish_a_repeated_answer_is_no_sign_of_life() {
    let mut aggregator = Aggregator::start(echo).await;
    let is_deaf = aggregator.path.deafness();
    let deafen = move |seen: &Seen| {
        is_deaf.store(true, Ordering::Relaxed);
        echo(seen)
    };
    restart(&mut aggregator, deafen, Duration::ZERO);
    let mut link = link(aggregator.settings());
    // That this came is never known there: it is sent again and again.
    post(&mut link, Way::Http3, b"x").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    let failure = post(&mut link, Way::Http3, b"x").await.unwrap_err();
    assert_eq!(failure.error.kind(), "silent");
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_200), "{took:?}");
}

#[tokio::test]
async fn a_slow_aggregator_is_not_taken_for_a_silent_one() {
    let mut aggregator = Aggregator::start(echo).await;
    restart(&mut aggregator, echo, Duration::from_secs(4));
    let mut patient = link(aggregator.settings());
    assert_eq!(
        post(&mut patient, Way::Http3, b"x").await.unwrap().status,
        200
    );
    let mut settings = aggregator.settings();
    settings.limits.timeout = Duration::from_millis(500);
    let late = failure(settings, Way::Http3).await;
    assert_eq!((late.error.kind(), late.is_of_the_way), ("timeout", false));
}

/// For an aggregator below a prefix.
fn settings_for(aggregator: &Aggregator, path: &str) -> Settings {
    let mut settings = aggregator.settings();
    let prefix = path.strip_suffix("/v1/batches").unwrap();
    let url = format!("{}{prefix}", settings.endpoint);
    settings.endpoint = Endpoint::parse(&url).unwrap();
    settings
}

/// Another server on the same UDP path.
fn restart(
    aggregator: &mut Aggregator,
    answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    delay: Duration,
) {
    let tls = aggregator.authority.certify(NAME);
    aggregator.udp = Server3::start(&tls, std::sync::Arc::new(answer), delay);
    aggregator.path.lead_to(aggregator.udp.address);
}
