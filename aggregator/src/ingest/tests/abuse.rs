//! Peers that are slow, many, silent, or no peers at all.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    ingest::testing::{Client, Stage, post, refusal},
    status::{Closed, Reason, Way},
};

const SHORT: Duration = Duration::from_millis(100);

/// Waits for what another task is about to count.
async fn counted(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "{what}");
}

#[tokio::test]
async fn connections_of_one_peer_are_bounded() {
    let stage = Stage::new(|limits| limits.connections_of_peer = 2).await;
    let _first = stage.client(Way::Http1).await;
    let second = stage.client(Way::Http3).await;
    assert!(stage.tls(b"h2").await.is_err());
    assert!(stage.quic().await.is_err());
    for way in [Way::Http1, Way::Http3] {
        let closed = stage.metrics.closed.of(way);
        assert!(closed.get(Closed::TooManyOfPeer) >= 1, "{way:?}");
    }
    let Client::Http3(h3) = second else {
        unreachable!()
    };
    h3.quic.close(0_u32.into(), b"");
    drop(h3);
    counted("a place is free again", || {
        stage.metrics.connections.get(Way::Http3) == 0
    })
    .await;
    assert!(stage.tls(b"h2").await.is_ok());
}

#[tokio::test]
async fn all_connections_are_bounded() {
    let stage = Stage::new(|limits| limits.connections = 1).await;
    let _first = stage.client(Way::Http2).await;
    assert!(stage.tls(b"h2").await.is_err());
    assert!(stage.quic().await.is_err());
    assert_eq!(stage.metrics.closed.of(Way::Http3).get(Closed::TooMany), 1);
}

#[tokio::test]
async fn a_handshake_that_stalls_is_ended() {
    let stage = Stage::new(|limits| limits.handshake_time = SHORT).await;
    let mut stream = tokio::net::TcpStream::connect(stage.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01").await.unwrap();
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap_or(0), 0);
    let closed = stage.metrics.closed.of(Way::Http1);
    counted("it is counted", || closed.get(Closed::TooSlow) == 1).await;
    let mut plain = tokio::net::TcpStream::connect(stage.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    counted("no TLS at all", || closed.get(Closed::Handshake) == 1).await;
}

#[tokio::test]
async fn a_header_that_does_not_end_is_ended() {
    let stage = Stage::new(|limits| limits.header_time = SHORT).await;
    let closed = stage.metrics.closed.of(Way::Http1);
    // At once, and after a whole request.
    for (index, before) in ["", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"]
        .iter()
        .enumerate()
    {
        let mut stream = stage.tls(b"http/1.1").await.unwrap();
        let mut answer = [0; 512];
        if !before.is_empty() {
            stream.write_all(before.as_bytes()).await.unwrap();
            assert!(stream.read(&mut answer).await.unwrap() > 0);
        }
        stream
            .write_all(b"POST /v1/batches HTTP/1.1\r\n")
            .await
            .unwrap();
        while stream.read(&mut answer).await.is_ok_and(|read| read > 0) {}
        let index = u64::try_from(index).unwrap();
        counted("it is counted", || closed.get(Closed::TooSlow) == index + 1).await;
    }
}

#[tokio::test]
async fn a_quiet_connection_is_kept_until_its_time_is_over() {
    let stage = Stage::new(|limits| {
        limits.header_time = 5 * SHORT;
        limits.idle_time = 15 * SHORT;
    })
    .await;
    for way in [Way::Http1, Way::Http2, Way::Http3] {
        let mut client = stage.client(way).await;
        client.send(post("x")).await.unwrap();
        // Longer than a header may take: silence is no slow header.
        tokio::time::sleep(7 * SHORT).await;
        let late = client.send(post("x")).await;
        assert_eq!(late.unwrap().status(), 200, "{way:?}");
        let closed = stage.metrics.closed.of(way);
        counted("it is idle", || closed.get(Closed::Idle) == 1).await;
        assert!(client.send(post("x")).await.is_err());
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_refused() {
    let stage = Stage::new(|limits| limits.body_time = SHORT).await;
    let head = "POST /v1/batches HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\
        content-type: application/x-protobuf\r\n\r\n123";
    let mut stream = stage.tls(b"http/1.1").await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap_or(0);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let Client::Http3(mut h3) = stage.client(Way::Http3).await else {
        unreachable!()
    };
    let (parts, _) = post("").into_parts();
    let request = http::Request::from_parts(parts, ());
    let mut stream = h3.sender.send_request(request).await.unwrap();
    stream.send_data("123".into()).await.unwrap();
    let answer = stream.recv_response().await.unwrap();
    assert_eq!(answer.status(), 408);
    assert_eq!(stage.metrics.refused.get(Reason::TooSlow), 2);
    let mut other = Client::Http3(h3);
    assert_eq!(
        other.send(post("x")).await.unwrap().status(),
        200,
        "the connection lives"
    );
}

#[tokio::test]
async fn a_length_that_is_not_kept_is_refused() {
    let stage = Stage::new(|_| ()).await;
    let Client::Http3(mut h3) = stage.client(Way::Http3).await else {
        unreachable!()
    };
    let (mut parts, _) = post("").into_parts();
    parts.headers.insert("content-length", 10.into());
    let request = http::Request::from_parts(parts.clone(), ());
    let mut stream = h3.sender.send_request(request).await.unwrap();
    stream.send_data("123".into()).await.unwrap();
    stream.finish().await.unwrap();
    assert_eq!(stream.recv_response().await.unwrap().status(), 400);
    parts.headers.insert("content-length", "x".parse().unwrap());
    let mut client = Client::Http3(h3);
    let came = client
        .send(http::Request::from_parts(parts, "x".into()))
        .await;
    assert_eq!(refusal(&came).0, 400);
}

#[tokio::test]
async fn a_frame_that_never_ends_is_not_kept() {
    let stage = Stage::new(|_| ()).await;
    let quic = stage.quic().await.unwrap();
    let (mut sender, mut receiver) = quic.open_bi().await.unwrap();
    // HEADERS of 1 GiB - 1.
    sender
        .write_all(&[1, 0xbf, 0xff, 0xff, 0xff])
        .await
        .unwrap();
    let piece = [0; 1_024];
    let mut sent = 0;
    while sent < 4 << 20 && sender.write_all(&piece).await.is_ok() {
        sent += piece.len();
    }
    assert!(sent < 1 << 20, "{sent} bytes were taken");
    assert!(receiver.read(&mut [0; 9]).await.is_err());
    let mut control = quic.open_uni().await;
    if let Ok(stream) = &mut control {
        drop(stream.write_all(b"\x00").await);
    }
    assert!(stage.fake.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn addresses_are_checked_when_many_come() {
    let stage = Stage::new(|limits| limits.unchecked_handshakes = 0).await;
    let mut client = stage.client(Way::Http3).await;
    assert_eq!(client.send(post("x")).await.unwrap().status(), 200);
    let retries = stage
        .metrics
        .retries
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(retries, 1);
}

#[tokio::test]
async fn noise_is_survived() {
    let stage = Stage::new(|_| ()).await;
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in [0, 1, 20, 1_200] {
        let noise: Vec<u8> = (0..length).map(|_| rand::random()).collect();
        udp.send_to(&noise, stage.address).await.unwrap();
    }
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let mut stream = stage.tls(protocol).await.unwrap();
        let noise: Vec<u8> = (0..30_000).map(|_| rand::random()).collect();
        drop(stream.write_all(&noise).await);
        while stream.read(&mut [0; 512]).await.is_ok_and(|read| read > 0) {}
    }
    for way in [Way::Http1, Way::Http2, Way::Http3] {
        let mut client = stage.client(way).await;
        assert_eq!(client.send(post("x")).await.unwrap().status(), 200);
    }
}
