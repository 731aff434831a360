//! `POST /metrics` over every way: bounded, and answered in the published form.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    auth::{Authenticator, TokenFile},
    ingest::testing::{Client, Place, Stage},
    push,
    status::{Outcome, Reason, Way},
};

const WAYS: [Way; 4] = [Way::Http1, Way::Http2, Way::Http3, Way::Status];

fn post(body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(format!("https://localhost{}", push::PATH))
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .body(body.into())
        .unwrap()
}

fn with(name: header::HeaderName, value: &str) -> Request<Bytes> {
    let mut request = post("x");
    let value = HeaderValue::from_str(value).unwrap();
    request.headers_mut().insert(name, value);
    request
}

/// The status, and the first error of a body in the published form.
fn error(answer: &Response<Bytes>) -> (u16, String, String) {
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["status"], "error", "{body}");
    let text = |name: &str| body["errors"][0][name].as_str().unwrap().to_owned();
    (answer.status().as_u16(), text("field"), text("reason"))
}

async fn client(stage: &Stage, way: Way) -> Client {
    match way {
        Way::Status => Client::plain(stage.status(true).await).await,
        way => stage.client(way).await,
    }
}

#[tokio::test]
async fn pushes_are_taken_over_every_way() {
    let stage = Stage::pushing(Authenticator::None, |_| ()).await;
    let large = "x".repeat(1_000_000);
    for way in WAYS {
        let mut client = client(&stage, way).await;
        for body in ["small", &large, ""] {
            let answer = client.send(post(body.to_owned())).await.unwrap();
            assert_eq!(answer.status(), 200, "{way:?}");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
            assert_eq!(&answer.body()[..], br#"{"status":"ok"}"#);
            let (node, taken) = stage.fake.taken.lock().unwrap().pop().unwrap();
            assert!(node.is_none() && taken == body, "{way:?}: {}", taken.len());
        }
        assert_eq!(stage.metrics.requests.of(way).get(Outcome::Answered), 3);
    }
}

#[tokio::test]
async fn off_is_told_with_what_switches_it_on() {
    let stage = Stage::new(|_| ()).await;
    for way in WAYS {
        let mut client = match way {
            Way::Status => Client::plain(stage.status(false).await).await,
            way => stage.client(way).await,
        };
        let (status, _, reason) = error(&client.send(post("x")).await.unwrap());
        assert_eq!(status, 403);
        assert!(reason.contains("PODLEDGER_AGGREGATOR_PUSH=on"), "{reason}");
    }
    assert!(stage.fake.taken.lock().unwrap().is_empty());
    assert_eq!(stage.metrics.refused.get(Reason::Forbidden), 4);
}

#[tokio::test]
async fn requests_are_checked_before_their_bodies() {
    let stage = Stage::pushing(Authenticator::None, |limits| limits.body_bytes = 1_000).await;
    for way in WAYS {
        let mut client = client(&stage, way).await;
        for (request, expected) in [
            (
                with(header::CONTENT_TYPE, "text/plain"),
                (415, "content-type"),
            ),
            (
                with(header::CONTENT_ENCODING, "gzip"),
                (415, "content-encoding"),
            ),
            (post("x".repeat(1_001)), (413, "body")),
        ] {
            let (status, field, _) = error(&client.send(request).await.unwrap());
            assert_eq!((status, field.as_str()), expected, "{way:?}");
        }
    }
    let mut many = post("x");
    for number in 0..60 {
        let name = format!("x-{number}").parse::<header::HeaderName>().unwrap();
        many.headers_mut()
            .insert(name, HeaderValue::from_static("x"));
    }
    let mut client = stage.client(Way::Http2).await;
    let (status, field, _) = error(&client.send(many).await.unwrap());
    assert_eq!((status, field.as_str()), (413, "header"));
    assert!(stage.fake.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_the_service_says_is_handed_on() {
    let stage = Stage::pushing(Authenticator::None, |_| ()).await;
    for way in WAYS {
        let mut client = client(&stage, way).await;
        let answer = client.send(post("wrong")).await.unwrap();
        let (status, field, _) = error(&answer);
        assert_eq!((status, field.as_str()), (400, "pods[3].name"), "{way:?}");
        assert!(!answer.headers().contains_key(header::RETRY_AFTER));
        let answer = client.send(post("busy")).await.unwrap();
        assert_eq!(error(&answer).0, 503);
        assert!(answer.headers().contains_key(header::RETRY_AFTER));
    }
}

/// On the port with TLS a token speaks for its node, as it does for batches.
#[tokio::test]
async fn tokens_are_asked_for_where_agents_come() {
    let place = Place::new();
    let path = place.write("tokens", "alpha node-1\nbeta *\n");
    let auth = Authenticator::TokenFile(TokenFile::open(path).unwrap());
    let stage = Stage::pushing(auth, |_| ()).await;
    for way in [Way::Http1, Way::Http2, Way::Http3] {
        let mut client = stage.client(way).await;
        for (token, node) in [("alpha", Some("node-1")), ("beta", None)] {
            let request = with(header::AUTHORIZATION, &format!("Bearer {token}"));
            assert_eq!(client.send(request).await.unwrap().status(), 200);
            let (taken, _) = stage.fake.taken.lock().unwrap().pop().unwrap();
            assert_eq!(taken.as_deref(), node);
        }
        let answer = client.send(post("x")).await.unwrap();
        let (status, field, _) = error(&answer);
        assert_eq!((status, field.as_str()), (401, "authorization"));
        assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}

#[tokio::test]
async fn nothing_is_taken_while_the_tables_are_opened_or_it_stops() {
    let stage = Stage::pushing(Authenticator::None, |_| ()).await;
    let mut client = Client::plain(stage.status_without_tables().await).await;
    let (status, _, reason) = error(&client.send(post("x")).await.unwrap());
    assert!(status == 503 && reason.contains("opened"), "{reason}");
    let mut client = Client::plain(stage.status(true).await).await;
    stage.stopper.stop();
    let answer = client.send(post("x")).await.unwrap();
    let (status, _, reason) = error(&answer);
    assert!(status == 503 && reason.contains("stopping"), "{reason}");
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let short = |limits: &mut crate::ingest::Limits| limits.body_time = Duration::from_millis(50);
    let stage = Stage::pushing(Authenticator::None, short).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n",
        push::PATH
    );
    let mut stream = TcpStream::connect(stage.status(true).await).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = vec![0; 1_000];
    let length = stream.read(&mut said).await.unwrap();
    let said = String::from_utf8_lossy(&said[..length]);
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.contains(r#""field":"body""#), "{said}");
}
