//! Stopping, and certificates that change.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use tokio::{net::TcpStream, time::Instant};

use crate::{
    ingest::testing::{Stage, client_config, post, refusal},
    status::{Closed, Reason, Reload, Way},
};

const WAYS: [Way; 3] = [Way::Http1, Way::Http2, Way::Http3];

#[tokio::test]
async fn what_is_under_way_is_answered_before_it_ends() {
    for way in WAYS {
        let stage = Stage::new(|_| ()).await;
        stage.fake.is_held.store(true, SeqCst);
        let mut client = stage.client(way).await;
        let sending = tokio::spawn(async move {
            let first = client.send(post("x")).await;
            (first, client.send(post("y")).await)
        });
        stage.fake.came.notified().await;
        stage.stopper.stop();
        assert!(!stage.running.is_finished(), "{way:?}");
        stage.fake.go.notify_one();
        let (first, second) = sending.await.unwrap();
        assert_eq!(first.unwrap().status(), 200, "{way:?}");
        // Refused, or the connection is at its end.
        assert!(second.is_err() || refusal(&second).0 == 503, "{way:?}");
        let (metrics, address) = (stage.metrics.clone(), stage.address);
        stage.ended().await;
        assert_eq!(metrics.closed.of(way).get(Closed::Stopped), 1, "{way:?}");
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let stage = Stage::new(|_| ()).await;
    let mut clients = Vec::new();
    for way in WAYS {
        let mut client = stage.client(way).await;
        client.send(post("x")).await.unwrap();
        clients.push(client);
        // And one that has said nothing yet.
        clients.push(stage.client(way).await);
    }
    let began = Instant::now();
    stage.stopper.stop();
    stage.ended().await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn what_does_not_end_is_cut_off() {
    for way in WAYS {
        let stage = Stage::new(|limits| limits.drain_time = Duration::from_millis(50)).await;
        stage.fake.is_held.store(true, SeqCst);
        let mut client = stage.client(way).await;
        let sending = tokio::spawn(async move { client.send(post("x")).await });
        stage.fake.came.notified().await;
        stage.stopper.stop();
        let metrics = stage.metrics.clone();
        stage.running.await.unwrap();
        assert!(sending.await.unwrap().is_err(), "{way:?}");
        assert_eq!(metrics.closed.of(way).get(Closed::CutOff), 1, "{way:?}");
    }
}

#[tokio::test]
async fn a_late_request_on_an_open_connection_is_put_off() {
    let stage = Stage::new(|_| ()).await;
    stage.fake.is_held.store(true, SeqCst);
    let mut client = stage.client(Way::Http2).await;
    let crate::ingest::testing::Client::Http2(second) = &client else {
        unreachable!()
    };
    let mut second = crate::ingest::testing::Client::Http2(second.clone());
    let first = tokio::spawn(async move { client.send(post("x")).await });
    stage.fake.came.notified().await;
    stage.stopper.stop();
    let late = second.send(post("y")).await;
    assert!(late.is_err() || refusal(&late).0 == 503);
    if late.is_ok() {
        assert_eq!(stage.metrics.refused.get(Reason::Stopping), 1);
    }
    stage.fake.go.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    stage.ended().await;
}

/// Time is stepped by hand only where nothing is under way: sockets know no paused clock.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::advance(Duration::from_secs(5)).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_broken_one_is_not() {
    let stage = Stage::new(|_| ()).await;
    let old = stage.client_config(b"h2");
    stage.place.write("tls.crt", "no certificate at all");
    tokio::time::pause();
    let reloads = &stage.metrics.reloads;
    until("the broken one is told", || {
        reloads.get(Reload::Broken) == 1
    })
    .await;
    tokio::time::resume();
    drop(stage.client(Way::Http1).await);
    drop(stage.client(Way::Http3).await);
    let new = stage.place.certificate();
    tokio::time::pause();
    until("the new one is used", || reloads.get(Reload::Used) == 1).await;
    tokio::time::resume();
    assert!(
        stage.tls(b"h2").await.is_err(),
        "who knows the old one only"
    );
    let connect = |config| async {
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        connector.connect(name, stream).await
    };
    assert!(connect(client_config(&new, b"h2")).await.is_ok());
    assert!(connect(old).await.is_err());
    assert_eq!(reloads.get(Reload::Broken), 1, "told once");
}
