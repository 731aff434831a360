//! The client against real sockets.

use std::time::{Duration, Instant};

use super::{
    Client, Endpoint, HeaderName, HeaderValue, HttpError, Request, Settings, StatusCode,
    testing::{Authority, Server, raw, reply},
};

fn settings(url: &str) -> Settings {
    Settings {
        endpoint: Endpoint::parse(url).unwrap(),
        server_name: None,
        insecure: false,
        connect_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(10),
        most_body_bytes: 10_000,
        debug: true,
    }
}

fn client(url: &str) -> Client {
    Client::new(settings(url)).unwrap()
}

async fn get(client: &mut Client) -> Result<Vec<u8>, HttpError> {
    client
        .send(Request::get("/x"))
        .await
        .map(|answer| answer.body)
}

#[tokio::test]
async fn one_connection_serves_all_requests() {
    let server = Server::http(|seen| reply(201, seen.body.clone())).await;
    let mut client = client(&format!("http://{}", server.address));
    for _ in 0..3 {
        let header = HeaderName::from_static("x-a");
        let request = Request::post("/p?q=1", "abc").header(header, HeaderValue::from_static("1"));
        let answer = client.send(request).await.unwrap();
        assert_eq!(
            (answer.status, answer.body),
            (StatusCode::CREATED, b"abc".to_vec())
        );
    }
    assert_eq!(server.connections(), 1);
    let seen = &server.seen()[2];
    assert_eq!(
        (seen.path.as_str(), &seen.headers["x-a"]),
        ("/p?q=1", &HeaderValue::from_static("1"))
    );
    assert_eq!(seen.headers["host"], server.address.to_string());
    client.send(Request::put("/p")).await.unwrap();
    let seen = &server.seen()[3];
    assert_eq!(
        (
            seen.method.as_str(),
            seen.headers["content-length"].as_bytes()
        ),
        ("PUT", &b"0"[..])
    );
}

#[tokio::test]
async fn a_connection_that_the_peer_closed_is_opened_anew() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let (address, _task) = raw(vec![answer; 3], false).await;
    let mut client = client(&format!("http://{address}"));
    for _ in 0..3 {
        assert_eq!(get(&mut client).await.unwrap(), b"ok");
    }
}

#[tokio::test]
async fn nothing_there_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = get(&mut client(&format!("http://{address}")))
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }), "{error}");
    assert!(
        error.to_string().contains("nothing listens there"),
        "{error}"
    );
}

#[tokio::test]
async fn silence_ends_at_the_limit_and_says_in_what() {
    let begin = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok".to_vec();
    for (answer, scheme, what) in [
        (Vec::new(), "http", "beginning"),
        (begin, "http", "body"),
        (Vec::new(), "https", "handshake"),
    ] {
        let (address, _task) = raw(vec![answer], true).await;
        let limit = Duration::from_millis(100);
        let mut client = Client::new(Settings {
            insecure: true,
            total_timeout: limit,
            ..settings(&format!("{scheme}://{address}"))
        })
        .unwrap();
        let begin = Instant::now();
        let error = get(&mut client).await.unwrap_err();
        assert!(begin.elapsed() >= limit);
        assert!(matches!(error, HttpError::Timeout { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_was_given_up_is_not_used_again() {
    let slow = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok".to_vec();
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let (address, _task) = raw(vec![slow, whole], true).await;
    let mut client = Client::new(Settings {
        total_timeout: Duration::from_millis(100),
        ..settings(&format!("http://{address}"))
    })
    .unwrap();
    get(&mut client).await.unwrap_err();
    assert_eq!(get(&mut client).await.unwrap(), b"ok");
}

#[tokio::test]
async fn too_much_is_refused_told_or_not() {
    let told = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        chunked.extend_from_slice(format!("400\r\n{}\r\n", "x".repeat(1_024)).as_bytes());
    }
    for answer in [told, chunked] {
        let (address, _task) = raw(vec![answer], true).await;
        let error = get(&mut client(&format!("http://{address}")))
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(500_000));
    let many: String = (0..5_000).map(|n| format!("X-{n}: 1\r\n")).collect();
    for (answer, word) in [
        (String::new(), "closed"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), "not HTTP"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok".to_owned(),
            "",
        ),
        (endless, ""),
        (format!("HTTP/1.1 200 OK\r\n{many}\r\n"), ""),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
            "",
        ),
    ] {
        let (address, _task) = raw(vec![answer.into_bytes()], false).await;
        let error = get(&mut client(&format!("http://{address}")))
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Broken { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

async fn ask_tls(settings: Settings, ca_pem: &str) -> Result<Vec<u8>, HttpError> {
    let mut client = Client::new(settings)?;
    client.set_ca(ca_pem.as_bytes())?;
    get(&mut client).await
}

#[tokio::test]
async fn a_certificate_of_the_bundle_is_believed_by_address_or_name() {
    let authority = Authority::new();
    let server = Server::https(authority.certify("127.0.0.1"), |_| reply(200, "ok")).await;
    let url = format!("https://{}", server.address);
    assert_eq!(
        ask_tls(settings(&url), &authority.pem()).await.unwrap(),
        b"ok"
    );

    let server = Server::https(authority.certify("node-1"), |_| reply(200, "ok")).await;
    let url = format!("https://{}", server.address);
    let error = ask_tls(settings(&url), &authority.pem()).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("node-1"), "{error}");
    let named = Settings {
        server_name: Some("node-1".to_owned()),
        ..settings(&url)
    };
    assert_eq!(ask_tls(named, &authority.pem()).await.unwrap(), b"ok");
}

#[tokio::test]
async fn why_a_certificate_is_refused_is_told() {
    let (authority, other) = (Authority::new(), Authority::new());
    let expired = authority.certify_with("127.0.0.1", |params| {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let early = authority.certify_with("127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(3000, 1, 1);
    });
    for (tls, word) in [
        (other.certify("127.0.0.1"), "unknown issuer"),
        (Authority::named("x").certify("127.0.0.1"), "unknown issuer"),
        (expired, "expired"),
        (early, "not valid yet"),
    ] {
        let server = Server::https(tls, |_| reply(200, "ok")).await;
        let settings = settings(&format!("https://{}", server.address));
        let error = ask_tls(settings.clone(), &authority.pem())
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Tls { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(server.seen().is_empty(), "nothing was sent to it");
        let insecure = Settings {
            insecure: true,
            ..settings
        };
        assert_eq!(ask_tls(insecure, "").await.unwrap(), b"ok");
    }
}

#[tokio::test]
async fn tls_1_2_is_spoken_too() {
    let authority = Authority::new();
    let mut versions = authority.certify("127.0.0.1");
    versions.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = Server::https(versions, |_| reply(200, "ok")).await;
    let url = format!("https://{}", server.address);
    assert_eq!(
        ask_tls(settings(&url), &authority.pem()).await.unwrap(),
        b"ok"
    );
    let old = authority.certify_tls12("127.0.0.1");
    let server = Server::https(old, |_| reply(200, "ok")).await;
    let url = format!("https://{}", server.address);
    assert_eq!(
        ask_tls(settings(&url), &authority.pem()).await.unwrap(),
        b"ok"
    );
}

#[tokio::test]
async fn plain_http_behind_https_is_told() {
    let server = Server::http(|_| reply(200, "ok")).await;
    let settings = settings(&format!("https://{}", server.address));
    let error = ask_tls(settings, &Authority::new().pem())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_bundle_that_changed_is_used_from_then_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = Server::https(new.certify("127.0.0.1"), |_| reply(200, "ok")).await;
    let mut client = client(&format!("https://{}", server.address));
    let error = get(&mut client).await.unwrap_err();
    assert!(error.to_string().contains("no CA bundle"), "{error}");
    client.set_ca(old.pem().as_bytes()).unwrap();
    get(&mut client).await.unwrap_err();
    client.set_ca(new.pem().as_bytes()).unwrap();
    assert_eq!(get(&mut client).await.unwrap(), b"ok");
    let before = server.connections();
    client.set_ca(new.pem().as_bytes()).unwrap();
    get(&mut client).await.unwrap();
    assert_eq!(
        server.connections(),
        before,
        "the same bundle costs nothing"
    );
    for wrong in [
        "",
        "text",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        client.set_ca(wrong.as_bytes()).unwrap_err();
    }
    assert_eq!(
        get(&mut client).await.unwrap(),
        b"ok",
        "a wrong bundle replaces nothing"
    );
}
