//! The service as it answers, and as something else may answer in its place.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Imds, ImdsError, Instance, Pace, Settings, run};
use crate::{
    health::{Condition, Health},
    http::{
        HttpError,
        testing::{Reply, Seen, Server, raw, reply},
    },
};

const TOKEN: &str = "AQAEAOp2f8nKZJQXk3q7uXn2Ew5vC8hJt1rFsYbLdMzGxPaVcWqRtg==";

fn settings(server: &Server) -> Settings {
    Settings {
        endpoint: format!("http://{}/", server.address),
        debug: true,
        ..Settings::default()
    }
}

fn imds(server: &Server) -> Imds {
    Imds::new(&settings(server)).unwrap()
}

fn told() -> Instance {
    let some = |text: &str| Some(text.to_owned());
    Instance {
        instance_id: some("i-1234567890abcdef0"),
        instance_type: some("m7g.large"),
        zone: some("eu-central-1a"),
        zone_id: some("euc1-az2"),
        region: some("eu-central-1"),
        capacity_type: some("spot"),
    }
}

/// An instance's answers without regard to tokens.
fn metadata(seen: &Seen) -> Reply {
    let text = match seen.path.as_str() {
        "/latest/meta-data/instance-id" => "i-1234567890abcdef0",
        "/latest/meta-data/instance-type" => "m7g.large",
        "/latest/meta-data/placement/availability-zone" => "eu-central-1a",
        "/latest/meta-data/placement/availability-zone-id" => "euc1-az2",
        "/latest/meta-data/placement/region" => "eu-central-1",
        "/latest/meta-data/instance-life-cycle" => "spot",
        _ => return reply(404, "<?xml version=\"1.0\"?><html>404 - Not Found</html>"),
    };
    reply(200, text)
}

fn is_token_request(seen: &Seen) -> bool {
    seen.method == "PUT" && seen.path == "/latest/api/token"
}

/// With tokens only.
fn version_2(seen: &Seen) -> Reply {
    if is_token_request(seen) {
        return reply(200, TOKEN);
    }
    match seen.headers.get("x-aws-ec2-metadata-token") {
        Some(token) if token == TOKEN => metadata(seen),
        _ => reply(401, ""),
    }
}

fn token_requests(server: &Server) -> usize {
    server
        .seen()
        .iter()
        .filter(|seen| is_token_request(seen))
        .count()
}

#[tokio::test]
async fn one_token_serves_all_fields_and_the_next_time() {
    let server = Server::http(version_2).await;
    let mut imds = imds(&server);
    for _ in 0..2 {
        let fetched = imds.fetch().await.unwrap();
        assert_eq!((fetched.instance, fetched.refused), (told(), None));
    }
    let seen = server.seen();
    assert_eq!(
        (seen.len(), token_requests(&server), server.connections()),
        (13, 1, 1)
    );
    assert_eq!(
        seen[0].headers["x-aws-ec2-metadata-token-ttl-seconds"],
        "21600"
    );
}

#[tokio::test]
async fn an_expired_token_is_replaced_once() {
    let given = AtomicUsize::new(0);
    let server = Server::http(move |seen| {
        if is_token_request(seen) {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            return reply(200, format!("token{number}"));
        }
        if seen.headers["x-aws-ec2-metadata-token"] == "token1" {
            return reply(401, "");
        }
        metadata(seen)
    })
    .await;
    let fetched = imds(&server).fetch().await.unwrap();
    assert_eq!((fetched.instance, token_requests(&server)), (told(), 2));

    let server = Server::http(|seen| match is_token_request(seen) {
        true => reply(200, TOKEN),
        false => reply(401, ""),
    })
    .await;
    let error = imds(&server).fetch().await.unwrap_err();
    assert!(matches!(error, ImdsError::Unauthorized { .. }), "{error}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn without_a_token_plain_requests_serve() {
    for (status, body) in [
        (404, ""),
        (403, ""),
        (405, ""),
        (500, ""),
        (200, "<html>"),
        (200, ""),
    ] {
        let server = Server::http(move |seen| match is_token_request(seen) {
            true => reply(status, body),
            false => metadata(seen),
        })
        .await;
        let fetched = imds(&server).fetch().await.unwrap();
        assert_eq!((fetched.instance, token_requests(&server)), (told(), 1));
        let has_token = |seen: &Seen| seen.headers.contains_key("x-aws-ec2-metadata-token");
        assert!(!server.seen().iter().any(has_token));
    }
}

#[tokio::test]
async fn version_1_can_be_forced_and_says_so_when_it_is_refused() {
    let server = Server::http(metadata).await;
    let forced = |server: &Server| {
        Imds::new(&Settings {
            force_v1: true,
            ..settings(server)
        })
        .unwrap()
    };
    assert_eq!(forced(&server).fetch().await.unwrap().instance, told());
    assert_eq!(token_requests(&server), 0);
    let server = Server::http(version_2).await;
    let error = forced(&server).fetch().await.unwrap_err();
    assert_eq!(error.kind(), "unauthorized");
    assert!(error.to_string().contains("FORCE_IMDSV1"), "{error}");
}

#[tokio::test]
async fn what_the_service_does_not_know_is_absent() {
    let server = Server::http(|seen| match seen.path.contains("placement") {
        true => reply(404, ""),
        false => metadata(seen),
    })
    .await;
    let fetched = imds(&server).fetch().await.unwrap();
    let expected = Instance {
        zone: None,
        zone_id: None,
        region: None,
        ..told()
    };
    assert_eq!((fetched.instance, fetched.refused), (expected, None));
    let server = Server::http(|_| reply(404, "")).await;
    let error = imds(&server).fetch().await.unwrap_err();
    assert_eq!(error.kind(), "no_instance_id");
}

#[tokio::test]
async fn what_something_else_answers_is_refused() {
    for (status, body, kind) in [
        (200, b"<html>log in</html>".to_vec(), "answer"),
        (200, b"\xff\xfe".to_vec(), "answer"),
        (200, vec![b'a'; 5_000], "too_large"),
        (302, Vec::new(), "status"),
        (403, Vec::new(), "status"),
        (503, Vec::new(), "status"),
    ] {
        let server = Server::http(move |_| reply(status, body.clone())).await;
        let error = imds(&server).fetch().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let server = Server::http(|seen| match seen.path.ends_with("instance-type") {
        true => reply(200, "m7g.large\n<b>"),
        false => metadata(seen),
    })
    .await;
    let fetched = imds(&server).fetch().await.unwrap();
    assert_eq!(
        (fetched.instance.instance_type, fetched.instance.zone),
        (None, told().zone)
    );
    assert!(
        fetched
            .refused
            .unwrap()
            .to_string()
            .contains("instance-type")
    );
}

#[tokio::test]
async fn silence_costs_two_waits_and_nothing_there_none() {
    let (address, _task) = raw(vec![Vec::new(), Vec::new()], true).await;
    let mut imds = Imds::new(&Settings {
        endpoint: format!("http://{address}"),
        timeout: Duration::from_millis(100),
        ..Settings::default()
    })
    .unwrap();
    let error = imds.fetch().await.unwrap_err();
    assert!(
        matches!(error, ImdsError::Http(HttpError::Timeout { .. })),
        "{error}"
    );
    let mut imds = Imds::new(&Settings {
        endpoint: "http://127.0.0.1:1".to_owned(),
        ..Settings::default()
    })
    .unwrap();
    assert_eq!(imds.fetch().await.unwrap_err().kind(), "connect");
}

#[tokio::test]
async fn it_is_asked_until_it_is_known_and_a_wrong_first_answer_heals() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::http(move |seen| {
        if !seen.path.ends_with("instance-id") {
            return metadata(seen);
        }
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => reply(503, ""),
            1 => reply(200, "<html>"),
            2 => reply(200, "i-00000000"),
            _ => metadata(seen),
        }
    })
    .await;
    let pace = Pace {
        first_retry: Duration::from_millis(1),
        most_retry: Duration::from_millis(2),
        refresh: Duration::from_millis(1),
    };
    let health = Health::new("imds");
    let (done, finished) = tokio::sync::oneshot::channel();
    let done = RefCell::new(Some(done));
    let published = RefCell::new(Vec::new());
    let publish = |instance: Instance| {
        published
            .borrow_mut()
            .push(instance.instance_id.clone().unwrap());
        if instance == told()
            && let Some(done) = done.take()
        {
            done.send(()).unwrap();
        }
    };
    let settings = settings(&server);
    tokio::select! {
        result = run(&settings, pace, health.clone(), publish) => panic!("{result:?}"),
        result = finished => result.unwrap(),
    }
    assert_eq!(
        published.borrow()[..2],
        ["i-00000000", "i-1234567890abcdef0"]
    );
    let view = health.view();
    assert_eq!(view.condition, Condition::Working);
    assert_eq!((view.failures["status"], view.failures["answer"]), (1, 1));
}

#[tokio::test]
async fn unusable_settings_end_it() {
    let settings = Settings {
        endpoint: "169.254.169.254".to_owned(),
        ..Settings::default()
    };
    let health = Health::new("imds");
    let result = run(&settings, Pace::default(), health.clone(), |_| {}).await;
    result.unwrap_err();
    assert!(matches!(health.view().condition, Condition::Off(_)));
}
