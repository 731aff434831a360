//! Answers `/healthz`, `/ready` and `/metrics`. It shares the main loop's thread: when that is
//! stuck, no answer comes at all, which a probe takes for what it is.

use std::{
    cell::RefCell,
    convert::Infallible,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
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
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{board::StatusBoard, metrics, page, process::Process, sources::Readiness};

/// Most connections at a time; one more is closed at once.
pub const MAX_CONNECTIONS: usize = 16;
/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a whole request header, and for the silence between two requests.
    pub(super) header: Duration,
    /// Of one connection: who does not read an answer gives its place back then.
    pub(super) life: Duration,
    /// For the answer that is under way when a connection's time is over.
    pub(super) grace: Duration,
}

pub(super) const PATIENCE: Patience = Patience {
    header: Duration::from_secs(5),
    life: Duration::from_secs(60),
    grace: Duration::from_secs(5),
};
/// Of a request header, target included; hyper wants no less.
const MOST_HEADER_BYTES: usize = 8 * 1_024;
/// Pause after a connection could not be accepted: descriptors come back in time only.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

type Answer = Response<Full<Bytes>>;

/// Serves until dropped, connections included. Runs in a `LocalSet`.
pub async fn serve(listener: TcpListener, board: Rc<RefCell<StatusBoard>>) {
    serve_with(listener, board, PATIENCE).await;
}

pub(super) async fn serve_with(
    listener: TcpListener,
    board: Rc<RefCell<StatusBoard>>,
    patience: Patience,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                connections.spawn_local(converse(stream, Rc::clone(&board), patience));
            }
            Ok((stream, peer)) => {
                log::debug!("status: {peer} is one connection too many");
                drop(stream);
            }
            Err(error) => {
                log::warn!("status: accepting a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, board: Rc<RefCell<StatusBoard>>, patience: Patience) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&request, &board);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.header)
        .max_buf_size(MOST_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = match timeout(patience.life, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) => {
            connection.as_mut().graceful_shutdown();
            timeout(patience.grace, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        log::debug!("status: {}", crate::error_chain(&error));
    }
}

/// hyper leaves the body out for HEAD.
fn answer<B>(request: &Request<B>, board: &RefCell<StatusBoard>) -> Answer {
    let reply = match request.uri().path() {
        "/healthz" => healthz,
        "/ready" => ready,
        "/metrics" => metrics,
        _ => {
            let paths = "there are /healthz, /ready and /metrics\n";
            return build(StatusCode::NOT_FOUND, TEXT, paths);
        }
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = build(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD only\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(ALLOW, allowed);
        return answer;
    }
    reply(&board.borrow())
}

fn healthz(board: &StatusBoard) -> Answer {
    match board.hangs(Instant::now()) {
        None => build(StatusCode::OK, TEXT, "ok\n"),
        Some(silence) => {
            let text = format!(
                "the main loop has been silent for {} s: restart the agent, its counters are kept\n",
                silence.as_secs()
            );
            build(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
        }
    }
}

fn ready(board: &StatusBoard) -> Answer {
    let readiness = Readiness::of(board);
    let status = match readiness.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    match serde_json::to_vec(&readiness) {
        Ok(body) => build(status, JSON, body),
        Err(error) => build(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("writing the answer: {error}\n"),
        ),
    }
}

fn metrics(board: &StatusBoard) -> Answer {
    let text = metrics::render(board, &Process::read());
    build(StatusCode::OK, page::CONTENT_TYPE, text)
}

fn build(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
