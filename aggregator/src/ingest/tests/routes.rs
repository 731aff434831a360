//! Routes, refusals and bounds of requests, the same over every way.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use protocol::{Epoch, Refusal, RefusalKind, exchange};

use crate::{
    auth::{Authenticator, TokenFile},
    ingest::testing::{Place, Stage, ack, post, refusal},
    status::{Outcome, Reason, Way},
};

const WAYS: [Way; 3] = [Way::Http1, Way::Http2, Way::Http3];

#[tokio::test]
async fn batches_are_taken_over_every_way() {
    let stage = Stage::new(|_| ()).await;
    // Larger than every window, so that pieces must be put together.
    let large = Bytes::from_iter((0..1_000_000_u32).map(|number| number.to_le_bytes()[0]));
    for way in WAYS {
        let mut client = stage.client(way).await;
        for body in [Bytes::from_static(b"small"), large.clone(), Bytes::new()] {
            let answer = client.send(post(body.clone())).await.unwrap();
            assert_eq!(answer.status(), 200, "{way:?}");
            assert_eq!(
                answer.headers()[header::CONTENT_TYPE],
                exchange::CONTENT_TYPE
            );
            assert_eq!(protocol::decode_ack(answer.body()).unwrap(), ack());
            let (node, taken) = stage.fake.taken.lock().unwrap().pop().unwrap();
            assert!(node.is_none() && taken == body, "{way:?}: {}", taken.len());
        }
        assert_eq!(stage.metrics.requests.of(way).get(Outcome::Answered), 3);
        assert_eq!(stage.metrics.connections.get(way), 1);
    }
}

#[tokio::test]
async fn other_requests_are_told_what_there_is() {
    let stage = Stage::new(|_| ()).await;
    for way in WAYS {
        let mut client = stage.client(way).await;
        let request = |method: &str, path: &str| {
            Request::builder()
                .method(method)
                .uri(format!("https://localhost{path}"))
                .header(header::HOST, "localhost")
                .body(Bytes::new())
                .unwrap()
        };
        let healthy = client.send(request("GET", "/healthz")).await.unwrap();
        assert_eq!(
            (healthy.status().as_u16(), &healthy.body()[..]),
            (200, &b"ok\n"[..])
        );
        for path in ["/ready", "/", "/v1/batches/x"] {
            let (status, kind, reason) = refusal(&client.send(request("GET", path)).await);
            assert_eq!((status, kind), (404, RefusalKind::NotFound));
            assert!(reason.contains("/v1/batches"), "{reason}");
        }
        let answer = client.send(request("GET", exchange::PATH)).await;
        assert_eq!(answer.as_ref().unwrap().headers()[header::ALLOW], "POST");
        assert_eq!(refusal(&answer).1, RefusalKind::Method);
        let answer = client.send(request("PUT", "/healthz")).await;
        assert_eq!(answer.unwrap().headers()[header::ALLOW], "GET, HEAD");
    }
    assert_eq!(stage.metrics.refused.get(Reason::NotFound), 9);
    assert_eq!(stage.metrics.refused.get(Reason::Method), 6);
}

#[tokio::test]
async fn types_and_encodings_are_checked() {
    let stage = Stage::new(|_| ()).await;
    let with = |name: header::HeaderName, value: &'static str| {
        let mut request = post("x");
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
        request
    };
    for way in WAYS {
        let mut client = stage.client(way).await;
        let json = client
            .send(with(header::CONTENT_TYPE, "application/json"))
            .await;
        assert_eq!(refusal(&json).0, 415);
        let gzip = client.send(with(header::CONTENT_ENCODING, "gzip")).await;
        assert_eq!(refusal(&gzip).1, RefusalKind::MediaType);
        let fine = with(header::CONTENT_TYPE, "Application/X-Protobuf; v=1");
        assert_eq!(client.send(fine).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let stage = Stage::new(|limits| limits.body_bytes = 100_000).await;
    for way in WAYS {
        let mut client = stage.client(way).await;
        let exact = client.send(post(vec![0; 100_000])).await.unwrap();
        assert_eq!(exact.status(), 200);
        let (status, kind, reason) = refusal(&client.send(post(vec![0; 100_001])).await);
        assert_eq!((status, kind), (413, RefusalKind::TooLarge), "{way:?}");
        assert!(reason.contains("100000 bytes"), "{reason}");
        let (status, ..) = refusal(&client.send(post(vec![0; 5_000_000])).await);
        assert_eq!(status, 413, "{way:?}");
    }
    assert_eq!(stage.fake.taken.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_the_service_refuses_is_handed_on() {
    let stage = Stage::new(|_| ()).await;
    let mut told = Refusal {
        kind: RefusalKind::BadBatch,
        reason: "pod_usage.cpu_seconds[17]: it is NaN".to_owned(),
        epoch: Some(Epoch([1; 16])),
        seq: Some(3),
        index: None,
    };
    for way in WAYS {
        let mut client = stage.client(way).await;
        *stage.fake.refuses.lock().unwrap() = Some(told.clone());
        let answer = client.send(post("x")).await.unwrap();
        assert_eq!(answer.status(), 422);
        let came: Refusal = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(came, told);
        assert!(!answer.headers().contains_key(header::RETRY_AFTER));
    }
    told.kind = RefusalKind::Busy;
    *stage.fake.refuses.lock().unwrap() = Some(told);
    let mut client = stage.client(Way::Http2).await;
    let answer = client.send(post("x")).await.unwrap();
    assert_eq!(answer.status(), 503);
    let wait = answer.headers()[header::RETRY_AFTER].to_str().unwrap();
    assert!((1..=5).contains(&wait.parse::<u32>().unwrap()));
    assert_eq!(stage.metrics.refused.get(Reason::BadBatch), 3);
    assert_eq!(
        stage.metrics.requests.of(Way::Http2).get(Outcome::PutOff),
        1
    );
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let stage = Stage::new(|limits| limits.requests = 1).await;
    stage.fake.is_held.store(true, SeqCst);
    let mut first = stage.client(Way::Http1).await;
    let first = tokio::spawn(async move { first.send(post("first")).await });
    stage.fake.came.notified().await;
    for way in WAYS {
        let mut client = stage.client(way).await;
        let answer = client.send(post("second")).await;
        assert_eq!(refusal(&answer).0, 503, "{way:?}");
        assert!(answer.unwrap().headers().contains_key(header::RETRY_AFTER));
    }
    stage.fake.go.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(stage.metrics.refused.get(Reason::InFlight), 3);
}

#[tokio::test]
async fn memory_of_bodies_is_bounded() {
    let stage = Stage::new(|limits| limits.all_body_bytes = 50_000).await;
    for way in WAYS {
        let mut client = stage.client(way).await;
        assert_eq!(refusal(&client.send(post(vec![0; 60_000])).await).0, 503);
        let fits = client.send(post(vec![0; 40_000])).await.unwrap();
        assert_eq!(fits.status(), 200, "what was refused takes no room");
    }
    assert_eq!(stage.metrics.refused.get(Reason::Memory), 3);
}

#[tokio::test]
async fn what_takes_too_long_is_put_off() {
    let stage = Stage::new(|limits| limits.take_time = Duration::from_millis(20)).await;
    stage.fake.is_held.store(true, SeqCst);
    for way in WAYS {
        let mut client = stage.client(way).await;
        assert_eq!(refusal(&client.send(post("x")).await).0, 503);
    }
    assert_eq!(stage.metrics.refused.get(Reason::Overdue), 3);
}

#[tokio::test]
async fn headers_are_bounded() {
    let stage = Stage::new(|_| ()).await;
    for way in WAYS {
        let mut client = stage.client(way).await;
        let mut many = post("x");
        for number in 0..60 {
            let name = format!("x-{number}").parse::<header::HeaderName>().unwrap();
            many.headers_mut()
                .insert(name, HeaderValue::from_static("x"));
        }
        let (status, _, reason) = refusal(&client.send(many).await);
        assert!(
            status == 413 && reason.contains("48 lines"),
            "{way:?}: {reason}"
        );
        let mut long = post("x");
        let value = HeaderValue::from_str(&"x".repeat(60_000)).unwrap();
        long.headers_mut().insert("x-long", value);
        // hyper and h3 say 431, or the client does not even send it.
        let came = client.send(long).await;
        let is_refused = came.as_ref().is_ok_and(|answer| answer.status() == 431);
        assert!(is_refused || came.is_err(), "{way:?}: {came:?}");
    }
    assert!(stage.fake.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn tokens_tell_the_node() {
    let place = Place::new();
    let path = place.write("tokens", "# demo\nalpha node-1\n\nbeta *\n");
    let auth = Authenticator::TokenFile(TokenFile::open(path).unwrap());
    let stage = Stage::with(auth, |_| ()).await;
    let with = |token: &str| {
        let mut request = post("x");
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        request
    };
    for way in WAYS {
        let mut client = stage.client(way).await;
        for (token, node) in [("alpha", Some("node-1")), ("beta", None)] {
            assert_eq!(client.send(with(token)).await.unwrap().status(), 200);
            let (taken, _) = stage.fake.taken.lock().unwrap().pop().unwrap();
            assert_eq!(taken.as_deref(), node);
        }
        for request in [with("gamma"), with("alph"), post("x")] {
            let answer = client.send(request).await;
            let (status, kind, reason) = refusal(&answer);
            assert_eq!((status, kind), (401, RefusalKind::Unauthorized));
            assert!(!reason.contains("gamma"));
            let headers = answer.unwrap().headers().clone();
            assert_eq!(headers[header::WWW_AUTHENTICATE], "Bearer");
        }
    }
    assert!(stage.fake.taken.lock().unwrap().is_empty());
    assert_eq!(stage.metrics.refused.get(Reason::Unauthorized), 9);
}
