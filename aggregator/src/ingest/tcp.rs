//! HTTP/2 and HTTP/1.1 over TLS over TCP.

use std::{
    error::Error as _,
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Limits, Router,
    gate::{Gate, Place},
    pulse::{Felt, Pulse},
};
use crate::status::{Closed, Way};

/// Pause after a connection could not be accepted: descriptors come back in time only.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// What a peer may send of one HTTP/2 request before it is read.
const STREAM_WINDOW: u32 = 64 << 10;
/// And of all of a connection's requests.
const CONNECTION_WINDOW: u32 = 128 << 10;
/// Answers are small.
const SEND_BUFFER: usize = 16 << 10;

/// Serves until it is told to stop; then what is under way ends. Dropped, it cuts everything off.
pub(super) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    gate: Arc<Gate>,
    router: Arc<Router>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = router.stop.wait() => break,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                log::warn!("accepting a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match gate.enter(peer.ip()) {
            Ok(place) => {
                let served = Connection {
                    peer,
                    _place: place,
                };
                connections.spawn(served.serve(stream, acceptor.clone(), Arc::clone(&router)));
            }
            // What it would have spoken is not known yet.
            Err(why) => router.metrics.closed.of(Way::Http1).count(why),
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

struct Connection {
    peer: SocketAddr,
    _place: Place,
}

/// Counts an open connection; where it is dropped without an end, it was cut off.
pub(super) struct Counted {
    router: Arc<Router>,
    way: Way,
    end: Closed,
}

impl Counted {
    pub(super) fn new(router: Arc<Router>, way: Way) -> Self {
        router.metrics.connections.count(way);
        Self {
            router,
            way,
            end: Closed::CutOff,
        }
    }

    pub(super) fn end(mut self, end: Closed) {
        self.end = end;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let metrics = &self.router.metrics;
        metrics.connections.uncount(self.way);
        metrics.closed.of(self.way).count(self.end);
    }
}

impl Connection {
    async fn serve(self, stream: TcpStream, acceptor: TlsAcceptor, router: Arc<Router>) {
        let limits = router.limits;
        // A request and its answer are small, and nobody waits for more of them.
        if let Err(error) = stream.set_nodelay(true) {
            log::debug!("{}: {error}", self.peer);
        }
        let handshake = timeout(limits.handshake_time, acceptor.accept(stream)).await;
        let stream = match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                log::debug!("{}: the TLS handshake: {error}", self.peer);
                return router
                    .metrics
                    .closed
                    .of(Way::Http1)
                    .count(Closed::Handshake);
            }
            Err(_) => return router.metrics.closed.of(Way::Http1).count(Closed::TooSlow),
        };
        let way = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Way::Http2,
            _ => Way::Http1,
        };
        let counted = Counted::new(Arc::clone(&router), way);
        let end = self.converse(stream, way, router).await;
        counted.end(end);
    }

    async fn converse(
        &self,
        stream: TlsStream<TcpStream>,
        way: Way,
        router: Arc<Router>,
    ) -> Closed {
        let limits = router.limits;
        let pulse = Pulse::new(limits, way == Way::Http1);
        let io = TokioIo::new(Felt::new(stream, Arc::clone(&pulse)));
        let stop = router.stop.clone();
        let service = Routed {
            way,
            router,
            pulse: Arc::clone(&pulse),
        };
        let ended = match way {
            Way::Http2 => {
                let connection = http2(&limits).serve_connection(io, service);
                drive(connection, &pulse, stop.wait()).await
            }
            _ => {
                let connection = http1(&limits).serve_connection(io, service);
                drive(connection, &pulse, stop.wait()).await
            }
        };
        ended.unwrap_or_else(|error| {
            log::debug!("{}: {}", self.peer, crate::error_chain(&error));
            match is_gone(&error) {
                true => Closed::ByPeer,
                false => Closed::Broken,
            }
        })
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The pulse tells silence and a slow header apart.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(8 << 10))
        .max_headers(limits.header_lines.saturating_mul(2));
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Many clients just go, without the word that ends TLS.
fn is_gone(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            );
        }
        cause = inner.source();
    }
    false
}

/// Runs a connection to its end.
async fn drive<C: GracefulConnection<Error = hyper::Error>>(
    connection: C,
    pulse: &Pulse,
    stopped: impl Future<Output = ()>,
) -> Result<Closed, hyper::Error> {
    let mut connection = pin!(connection);
    let mut over = pin!(pulse.over());
    let mut stopped = pin!(stopped);
    let mut end = Closed::ByPeer;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return match ended {
                Err(error) if end == Closed::ByPeer => Err(error),
                // How a connection ends that was asked to is the same to everybody.
                _ => Ok(end),
            },
            why = over.as_mut() => return Ok(why),
            () = stopped.as_mut(), if end == Closed::ByPeer => {
                connection.as_mut().graceful_shutdown();
                end = Closed::Stopped;
            }
        }
    }
}

/// The router as hyper wants it.
struct Routed {
    way: Way,
    router: Arc<Router>,
    pulse: Arc<Pulse>,
}

/// Nobody is there to read an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request broke off")]
pub(crate) struct BrokeOff;

impl Service<Request<Incoming>> for Routed {
    type Response = Response<Full<Bytes>>;
    type Error = BrokeOff;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BrokeOff>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let beat = self.pulse.begin();
        let (way, router) = (self.way, Arc::clone(&self.router));
        Box::pin(async move {
            let (parts, mut body) = request.into_parts();
            let answer = router.answer(way, &parts, &mut body).await;
            drop(beat);
            answer.map(|answer| answer.map(Full::new)).ok_or(BrokeOff)
        })
    }
}
