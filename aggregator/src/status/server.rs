//! Answers `/healthz`, `/health`, `/ready` and `/metrics` over plain HTTP, so that probes and Prometheus need
//! neither certificate nor token. It takes no batches, and what older collectors push where that is allowed.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Closed, Metrics, Page, Way, health, page};
use crate::{
    enrich::watch::Watches,
    ingest::{BrokeOff, Pushes, Stop, Taker, settle},
    openapi::{self, Port},
    push,
};

/// Most connections at a time; one more is closed at once. Older collectors make one for each push.
const MOST_CONNECTIONS: usize = 256;
/// For a request's header, and for the silence between two requests.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Of one connection: who does not read an answer gives its place back then.
const LIFE: Duration = Duration::from_secs(120);
/// For the answer that is under way when a connection's time is over.
const GRACE: Duration = Duration::from_secs(5);
/// Of a request header, target included; hyper wants no less.
const MOST_HEADER_BYTES: usize = 8 * 1_024;
/// Pause after a connection could not be accepted: descriptors come back in time only.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

type Answer = Response<Full<Bytes>>;

/// What the status listener tells of.
pub struct Reporter {
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// What takes the batches, once the tables are open.
    pub taker: OnceLock<Arc<dyn Taker>>,
    /// What takes pushes.
    pub pushes: Arc<Pushes>,
    /// Whether it is stopping.
    pub stop: Stop,
    /// What follows the cluster.
    pub watches: Arc<Watches>,
    /// Whether exchanges with the API server are logged.
    pub debug_k8s_api: bool,
}

/// The answer of `/ready`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    missing: Vec<String>,
}

impl Reporter {
    fn readiness(&self) -> Readiness {
        let mut missing = match self.taker.get() {
            Some(taker) => taker.missing(),
            None => vec!["the tables are being opened".to_owned()],
        };
        let stopping = "it is stopping".to_owned();
        if self.stop.is_set() && !missing.contains(&stopping) {
            missing.push(stopping);
        }
        Readiness {
            ready: missing.is_empty(),
            missing,
        }
    }

    /// The answer of `/health`, as JSON.
    pub fn health(&self) -> String {
        health::body(!self.readiness().ready, self.debug_k8s_api, &self.watches)
    }

    /// The same where nothing is watched.
    pub(crate) fn health_of_none() -> String {
        health::body(false, false, &Watches::off())
    }

    fn page(&self) -> String {
        let mut page = Page::of(&self.metrics);
        self.watches.report(&mut page);
        if let Some(taker) = self.taker.get() {
            taker.report(&mut page);
        }
        page.into_text()
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, BrokeOff> {
        let (parts, mut body) = request.into_parts();
        if parts.uri.path() != push::PATH || parts.method != Method::POST {
            return Ok(self.tell(parts.uri.path(), &parts.method));
        }
        let taker = self.taker.get().map(|taker| &**taker);
        let taken = self.pushes.take(taker, None, &parts.headers, &mut body);
        let taken = taken.await;
        let answer = settle(&self.metrics, Way::Status, taken, &parts, &mut body).await;
        answer.map(|answer| answer.map(Full::new)).ok_or(BrokeOff)
    }

    /// hyper leaves the body out for HEAD.
    fn tell(&self, path: &str, method: &Method) -> Answer {
        let Some(allowed) = Port::Status.methods(path) else {
            let paths = format!("there is {}\n", Port::Status.paths());
            return build(StatusCode::NOT_FOUND, TEXT, paths);
        };
        if !openapi::is_among(method, allowed) {
            let only = format!("{allowed} only\n");
            let mut answer = build(StatusCode::METHOD_NOT_ALLOWED, TEXT, only);
            let allowed = HeaderValue::from_static(allowed);
            answer.headers_mut().insert(ALLOW, allowed);
            return answer;
        }
        match path {
            openapi::HEALTH => build(StatusCode::OK, JSON, self.health()),
            openapi::READY => self.ready(),
            openapi::PATH => {
                let document = Port::Status.document();
                build(StatusCode::OK, openapi::CONTENT_TYPE, document)
            }
            push::PATH => build(StatusCode::OK, page::CONTENT_TYPE, self.page()),
            _ => build(StatusCode::OK, TEXT, "ok\n"),
        }
    }

    fn ready(&self) -> Answer {
        let readiness = self.readiness();
        let status = match readiness.ready {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        match serde_json::to_vec(&readiness) {
            Ok(body) => build(status, JSON, body),
            Err(error) => {
                let text = format!("writing the answer: {error}\n");
                build(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
            }
        }
    }
}

/// Serves until dropped, connections included.
pub async fn serve(listener: TcpListener, reporter: Arc<Reporter>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                log::warn!("status: accepting a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            reporter
                .metrics
                .closed
                .of(Way::Status)
                .count(Closed::TooMany);
            continue;
        };
        let reporter = Arc::clone(&reporter);
        connections.spawn(async move {
            reporter.metrics.connections.count(Way::Status);
            let closed = converse(stream, peer, Arc::clone(&reporter)).await;
            reporter.metrics.connections.uncount(Way::Status);
            reporter.metrics.closed.of(Way::Status).count(closed);
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, reporter: Arc<Reporter>) -> Closed {
    let service = service_fn(move |request| {
        let reporter = Arc::clone(&reporter);
        async move { reporter.answer(request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MOST_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = match timeout(LIFE, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) => {
            connection.as_mut().graceful_shutdown();
            match timeout(GRACE, connection).await {
                Ok(ended) => ended,
                Err(_) => return Closed::Unread,
            }
        }
    };
    match ended {
        Ok(()) => Closed::ByPeer,
        Err(error) if error.is_timeout() => Closed::Idle,
        Err(error) => {
            log::debug!("status: {peer}: {error}");
            Closed::Broken
        }
    }
}

fn build(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
