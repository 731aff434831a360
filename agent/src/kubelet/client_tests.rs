//! A scrape against a kubelet with TLS and a token, and what each of its refusals becomes.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Kubelet, Sample, Settings};
use crate::{
    health::{Condition, Health},
    http::testing::{Authority, Reply, Seen, Server, TemporaryDirectory, raw, reply},
};

const SUMMARY: &[u8] = include_bytes!("../../tests/data/kubelet/stats-summary.json");

struct Node {
    directory: TemporaryDirectory,
    authority: Authority,
    health: Health,
}

impl Node {
    fn new() -> Self {
        let node = Self {
            directory: TemporaryDirectory::new(),
            authority: Authority::new(),
            health: Health::new("kubelet"),
        };
        node.write("token", "first");
        node.write("ca.crt", &node.authority.pem());
        node
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::write(path.with_extension("new"), text).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }

    fn settings(&self, address: &impl ToString) -> Settings {
        Settings {
            endpoint: format!("https://{}/stats/summary", address.to_string()),
            server_name: None,
            token_file: Some(self.directory.path().join("token")),
            ca_file: Some(self.directory.path().join("ca.crt")),
            insecure: false,
            timeout: Duration::from_secs(10),
            max_body_bytes: 1_000_000,
            debug: true,
        }
    }

    fn kubelet(&self, address: &impl ToString) -> Kubelet {
        Kubelet::new(self.settings(address), self.health.clone()).unwrap()
    }

    async fn serve(&self, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
        Server::https(self.authority.certify("127.0.0.1"), answer).await
    }

    fn failures(&self, kind: &str) -> u64 {
        self.health.view().failures.get(kind).copied().unwrap_or(0)
    }

    /// The reason of the newest failure, which must be of this kind.
    fn reason(&self, sample: Option<&Sample>, kind: &str) -> String {
        assert!(sample.is_none());
        match self.health.view().condition {
            Condition::Failing(reason) => {
                assert_eq!(self.failures(kind), 1, "{kind}: {reason}");
                reason
            }
            other => panic!("{other:?}"),
        }
    }
}

fn token(seen: &Seen) -> &str {
    seen.headers["authorization"].to_str().unwrap()
}

#[tokio::test]
async fn a_scrape_brings_the_summary_over_one_connection() {
    let node = Node::new();
    let server = node.serve(|_| reply(200, SUMMARY)).await;
    let mut kubelet = node.kubelet(&server.address);
    for _ in 0..3 {
        let sample = kubelet.scrape().await.unwrap();
        assert_eq!(
            (sample.summary.pods.len(), sample.bytes),
            (5, SUMMARY.len())
        );
        assert!(sample.taken_at_ns > 0 && sample.round_trip > Duration::ZERO);
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.seen()[0].path, "/stats/summary");
    assert_eq!(token(&server.seen()[0]), "Bearer first");
    let view = node.health.view();
    assert_eq!((view.condition, view.successes), (Condition::Working, 3));
}

/// The token changes ten times as the kubelet sees it; each old one is refused at once.
#[tokio::test]
async fn nothing_is_lost_when_the_token_rotates() {
    let node = Node::new();
    let valid = Arc::new(AtomicU64::new(0));
    let wanted = Arc::clone(&valid);
    let server = node
        .serve(move |seen| {
            let wanted = format!("Bearer token-{}", wanted.load(Ordering::Relaxed));
            if token(seen) == wanted {
                reply(200, SUMMARY)
            } else {
                reply(401, "Unauthorized")
            }
        })
        .await;
    node.write("token", "token-0");
    let mut kubelet = node.kubelet(&server.address);
    for number in 1..=10 {
        kubelet.scrape().await.unwrap();
        valid.store(number, Ordering::Relaxed);
        node.write("token", &format!("token-{number}"));
    }
    kubelet.scrape().await.unwrap();
    assert!(node.health.view().failures.is_empty());
}

#[tokio::test]
async fn a_401_reads_the_token_again_and_asks_once_more() {
    let node = Node::new();
    let is_refused = Arc::new(AtomicBool::new(false));
    let refused = Arc::clone(&is_refused);
    let server = node
        .serve(move |_| {
            if refused.swap(false, Ordering::Relaxed) {
                reply(401, "Unauthorized")
            } else {
                reply(200, SUMMARY)
            }
        })
        .await;
    let mut kubelet = node.kubelet(&server.address);
    is_refused.store(true, Ordering::Relaxed);
    kubelet.scrape().await.unwrap();
    assert_eq!(server.seen().len(), 2);
    assert!(node.health.view().failures.is_empty());
}

#[tokio::test]
async fn a_token_that_vanishes_is_used_as_long_as_it_works() {
    let node = Node::new();
    let server = node.serve(|_| reply(200, SUMMARY)).await;
    let mut kubelet = node.kubelet(&server.address);
    kubelet.scrape().await.unwrap();
    fs::remove_file(node.directory.path().join("token")).unwrap();
    node.write("ca.crt", "half a file");
    kubelet.scrape().await.unwrap();
    let mut new = node.kubelet(&server.address);
    let reason = node.reason(new.scrape().await.as_ref(), "credentials");
    assert!(
        reason.contains("cannot read") && reason.contains("token"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_ca_bundle_that_comes_late_or_changes_is_used() {
    let node = Node::new();
    let server = node.serve(|_| reply(200, SUMMARY)).await;
    node.write("ca.crt", "");
    let mut kubelet = node.kubelet(&server.address);
    let reason = node.reason(kubelet.scrape().await.as_ref(), "credentials");
    assert!(reason.contains("holds no certificate"), "{reason}");
    node.write("ca.crt", &Authority::named("old").pem());
    let reason = node.reason(kubelet.scrape().await.as_ref(), "tls");
    assert!(reason.contains("unknown issuer"), "{reason}");
    node.write("ca.crt", &node.authority.pem());
    kubelet.scrape().await.unwrap();
}

#[tokio::test]
async fn each_refusal_has_its_kind_and_says_what_to_do() {
    let forbidden = "Forbidden (user=system:serviceaccount:demo:agent, verb=get, resource=nodes)";
    for (status, body, kind, words) in [
        (401, "Unauthorized", "unauthorized", "token"),
        (
            403,
            forbidden,
            "forbidden",
            "resources: [\"nodes/stats\"], verbs: [\"get\"]",
        ),
        (500, "Bearer s3cr3t-key broke", "status", "500"),
        (307, "", "status", "/stats/summary"),
        (404, "404 page not found", "status", "404 page not found"),
        (200, "<html>login</html>", "json", "<html>login</html>"),
        (200, "{\"node\": {", "json", "at byte"),
    ] {
        let node = Node::new();
        let server = node.serve(move |_| reply(status, body)).await;
        let mut kubelet = node.kubelet(&server.address);
        let reason = node.reason(kubelet.scrape().await.as_ref(), kind);
        assert!(reason.contains(words), "{reason}");
        assert!(
            !reason.contains("s3cr3t") && !reason.contains("first"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn too_much_too_slow_and_nothing_there() {
    let node = Node::new();
    let server = node.serve(|_| reply(200, vec![b' '; 2_000_000])).await;
    let sample = node.kubelet(&server.address).scrape().await;
    node.reason(sample.as_ref(), "too_large");

    let node = Node::new();
    let (address, _task) = raw(vec![Vec::new()], true).await;
    let settings = Settings {
        timeout: Duration::from_millis(100),
        ..node.settings(&address)
    };
    let sample = Kubelet::new(settings, node.health.clone())
        .unwrap()
        .scrape()
        .await;
    node.reason(sample.as_ref(), "timeout");

    let node = Node::new();
    let sample = node.kubelet(&"127.0.0.1:1").scrape().await;
    node.reason(sample.as_ref(), "connect");
}

#[tokio::test]
async fn a_certificate_for_the_node_s_name_needs_that_name() {
    let node = Node::new();
    let server = Server::https(node.authority.certify("node-1"), |_| reply(200, SUMMARY)).await;
    let reason = node.reason(node.kubelet(&server.address).scrape().await.as_ref(), "tls");
    assert!(
        reason.contains("wrong name") && reason.contains("node-1"),
        "{reason}"
    );
    for (server_name, insecure) in [(Some("node-1".to_owned()), false), (None, true)] {
        let settings = Settings {
            server_name,
            insecure,
            ..node.settings(&server.address)
        };
        let mut kubelet = Kubelet::new(settings, node.health.clone()).unwrap();
        kubelet.scrape().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_not_sent_without_tls() {
    let node = Node::new();
    let server = Server::http(|_| reply(200, SUMMARY)).await;
    let settings = Settings {
        endpoint: format!("http://{}/stats/summary", server.address),
        ..node.settings(&server.address)
    };
    Kubelet::new(settings, node.health.clone())
        .unwrap()
        .scrape()
        .await
        .unwrap();
    assert!(!server.seen()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn odd_values_are_noticed_once_and_the_rest_is_used() {
    let node = Node::new();
    let odd = String::from_utf8(SUMMARY.to_vec()).unwrap();
    let odd = odd.replace("\"usageBytes\": 1036288", "\"usageBytes\": -1");
    let server = node.serve(move |_| reply(200, odd.clone())).await;
    let mut kubelet = node.kubelet(&server.address);
    for _ in 0..3 {
        let sample = kubelet.scrape().await.unwrap();
        assert_eq!((sample.summary.pods.len(), sample.summary.oddities), (5, 1));
    }
    assert_eq!(node.failures("odd_values"), 1);
    assert_eq!(node.health.view().condition, Condition::Working);
}
