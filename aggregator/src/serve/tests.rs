//! From the first probe to the last commit.

use std::{
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use protocol::{Ack, Refusal};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Notify, oneshot},
};
use tokio_rustls::TlsConnector;

use super::*;
use crate::{
    cli::Serve,
    ingest::{
        Stopper, stop,
        testing::{Place, ack, client_config},
    },
    status::Page,
};

#[derive(Default)]
struct Story {
    told: Mutex<Vec<&'static str>>,
    stop: Notify,
    is_missing: AtomicBool,
}

impl Story {
    fn tell(&self, what: &'static str) {
        self.told.lock().unwrap().push(what);
    }
}

struct Fake(Arc<Story>);

#[async_trait]
impl Taker for Fake {
    async fn take(&self, _: Option<&str>, _: Bytes) -> Result<Ack, Refusal> {
        Ok(ack())
    }

    fn missing(&self) -> Vec<String> {
        let is_missing = self.0.is_missing.load(SeqCst);
        is_missing
            .then(|| "the store".to_owned())
            .into_iter()
            .collect()
    }

    fn report(&self, page: &mut Page) {
        page.gauge("podledger_aggregator_held_rows", "Rows that wait.", 7);
    }
}

#[async_trait]
impl Behind for Fake {
    async fn run(&self) {
        self.0.tell("run");
        self.0.stop.notified().await;
        self.0.tell("last commit");
    }

    fn stop(&self) {
        self.0.tell("stop");
        self.0.stop.notify_one();
    }
}

struct Play {
    place: Place,
    story: Arc<Story>,
    stopper: Stopper,
    open: Option<oneshot::Sender<()>>,
    listening: oneshot::Receiver<Addresses>,
    status: SocketAddr,
    running: JoinHandle<Result<(), ServeError<Infallible>>>,
}

/// A port that was free a moment ago.
async fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn play() -> Play {
    let place = Place::new();
    place.certificate();
    let files = place.files();
    let status = free().await;
    let options = Serve {
        store: Some("memory:".to_owned()),
        listen: Some("127.0.0.1:0".to_owned()),
        status_listen: Some(status.to_string()),
        tls_cert: Some(files.certificate.display().to_string()),
        tls_key: Some(files.key.display().to_string()),
        auth: Some("none".to_owned()),
        ..Serve::default()
    };
    let config = Config::new(&options, |_| None).unwrap();
    let story = Arc::new(Story::default());
    let (open, opened) = oneshot::channel();
    let (tell, listening) = oneshot::channel();
    let (stopper, stop) = stop();
    let fake = Fake(Arc::clone(&story));
    let running = tokio::spawn(async move {
        let start = async {
            opened.await.unwrap();
            Ok(fake)
        };
        let watches = Arc::new(Watches::off());
        serve(&config, watches, start, stop, |addresses| {
            tell.send(addresses).unwrap();
        })
        .await
    });
    Play {
        place,
        story,
        stopper,
        open: Some(open),
        listening,
        status,
        running,
    }
}

impl Play {
    async fn get(&self, method: &str, path: &str) -> (StatusCode, String) {
        let stream = loop {
            // It binds soon.
            match TcpStream::connect(self.status).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        ask(stream, method, path).await
    }

    /// The same at the port of the agents.
    async fn get_of_agents(&self, agents: SocketAddr, path: &str) -> (StatusCode, String) {
        let ca = std::fs::read_to_string(self.place.files().certificate).unwrap();
        let connector = TlsConnector::from(Arc::new(client_config(&ca, b"http/1.1")));
        let stream = TcpStream::connect(agents).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        ask(connector.connect(name, stream).await.unwrap(), "GET", path).await
    }
}

async fn ask<S>(stream: S, method: &str, path: &str) -> (StatusCode, String)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, driver) = handshake.unwrap();
    tokio::spawn(driver);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "x");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn health_is_told_in_the_older_system_s_words_at_both_ports() {
    let health = |status: &str| {
        format!(
            r#"{{"status":"{status}","debug_k8s_api":false,"watchers_initialized":{{"nodes":false,"pods":false,"pvcs":false,"pvs":false}},"all_watchers_ready":false}}"#
        )
    };
    let mut play = play().await;
    let told = play.get("GET", "/health").await;
    assert_eq!(told, (StatusCode::OK, health("unhealthy")), "no tables yet");
    play.open.take().unwrap().send(()).unwrap();
    let addresses = (&mut play.listening).await.unwrap();
    let told = play.get_of_agents(addresses.agents, "/health").await;
    assert_eq!(told, (StatusCode::OK, health("healthy")));
    // A store that is away is no reason to end the process.
    play.story.is_missing.store(true, SeqCst);
    let told = play.get("GET", "/health").await;
    assert_eq!(told, (StatusCode::OK, health("unhealthy")));
}

#[tokio::test]
async fn probes_are_answered_from_the_first_moment() {
    let mut play = play().await;
    assert_eq!(play.get("GET", "/healthz").await.0, 200);
    let (status, body) = play.get("GET", "/ready").await;
    assert!(status == 503 && body.contains("tables"), "{body}");
    play.open.take().unwrap().send(()).unwrap();
    let addresses = (&mut play.listening).await.unwrap();
    assert!(TcpStream::connect(addresses.agents).await.is_ok());
    let (status, body) = play.get("GET", "/ready").await;
    assert_eq!(
        (status.as_u16(), body.as_str()),
        (200, r#"{"ready":true,"missing":[]}"#)
    );
    play.story.is_missing.store(true, SeqCst);
    let (status, body) = play.get("GET", "/ready").await;
    assert_eq!(status, 503);
    assert_eq!(body, r#"{"ready":false,"missing":["the store"]}"#);
    assert_eq!(
        play.get("GET", "/v1/batches").await.0,
        404,
        "no batches without TLS"
    );
    assert_eq!(play.get("PUT", "/metrics").await.0, 405);
    let (status, body) = play.get("POST", "/metrics").await;
    assert!(status == 415 && body.contains("content-type"), "{body}");
    assert_eq!(
        play.get("HEAD", "/healthz").await,
        (StatusCode::OK, String::new())
    );
}

#[tokio::test]
async fn metrics_are_told() {
    let mut play = play().await;
    play.open.take().unwrap().send(()).unwrap();
    (&mut play.listening).await.unwrap();
    let (status, page) = play.get("GET", "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "podledger_aggregator_requests_total{way=\"http3\",outcome=\"answered\"} 0",
        "podledger_aggregator_refused_total{reason=\"too_large\"} 0",
        "podledger_aggregator_connections{way=\"status\"} 1",
        "podledger_aggregator_take_seconds_bucket{le=\"+Inf\"} 0",
        "podledger_aggregator_held_rows 7",
    ] {
        assert!(
            page.lines().any(|found| found == line),
            "{line} is missing in\n{page}"
        );
    }
    let is_ours = |line: &str| line.starts_with('#') || line.matches("podledger_").count() == 1;
    assert!(page.lines().all(is_ours), "{page}");
    let mut names: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name is told twice");
}

#[tokio::test]
async fn the_last_commit_follows_the_last_answer() {
    let mut play = play().await;
    play.open.take().unwrap().send(()).unwrap();
    (&mut play.listening).await.unwrap();
    play.stopper.stop();
    play.running.await.unwrap().unwrap();
    assert_eq!(
        *play.story.told.lock().unwrap(),
        ["run", "stop", "last commit"]
    );
}

#[tokio::test]
async fn it_can_be_stopped_while_the_tables_are_opened() {
    let play = play().await;
    play.get("GET", "/healthz").await;
    play.stopper.stop();
    play.running.await.unwrap().unwrap();
    assert!(play.story.told.lock().unwrap().is_empty());
    assert!(TcpStream::connect(play.status).await.is_err());
}
