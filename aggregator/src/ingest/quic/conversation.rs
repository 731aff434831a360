//! One HTTP/3 connection, from its first request to its last.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes};
use h3::{
    error::{Code, ConnectionError},
    server::{RequestResolver, RequestStream},
};
use http::{Request, Response};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::streams::{Both, Connection, Meter};
use crate::{
    ingest::{
        Router,
        body::{Body, Broken},
    },
    status::{Closed, Outcome, Reason, Way},
};

/// For a last answer to arrive before the connection is closed, beside its round trips.
const LINGER: Duration = Duration::from_millis(100);

type Server = h3::server::Connection<Connection, Bytes>;

/// Answers requests until the peer is gone, or until it is told to stop. What a connection needs while
/// it waits is kept small: thousands of them do nothing else.
pub(super) async fn hold(quic: quinn::Connection, router: Arc<Router>) -> Closed {
    let connection = Connection::new(quic.clone());
    let newest = connection.newest();
    // Boxed, because building needs much more room than what comes of it.
    let building = Box::pin(timeout(
        router.limits.handshake_time,
        build(connection, router.limits.header_bytes),
    ));
    let mut server = match building.await {
        Ok(Ok(server)) => server,
        Ok(Err(error)) => return why(&error, &quic),
        Err(_) => return Closed::TooSlow,
    };
    let mut requests = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = next(&mut server) => accepted,
            _ = requests.join_next(), if !requests.is_empty() => continue,
            () = router.stop.wait() => break,
        };
        match accepted {
            Ok(Some(resolver)) => {
                let router = Arc::clone(&router);
                requests.spawn(answer(resolver, newest.get(), router));
            }
            Ok(None) => return Closed::ByPeer,
            Err(error) => return why(&error, &quic),
        }
    }
    Box::pin(finish(server, requests, quic)).await
}

/// The next request. h3's future for it has room for a farewell all the while it waits. Dropped, it loses
/// nothing, so it is made anew for each look and needs no room between them.
async fn next(
    server: &mut Server,
) -> Result<Option<RequestResolver<Connection, Bytes>>, ConnectionError> {
    poll_fn(|context| pin!(server.accept()).poll(context)).await
}

async fn build(connection: Connection, most: usize) -> Result<Box<Server>, ConnectionError> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let mut builder = h3::server::builder();
    builder.max_field_section_size(most).send_grease(false);
    builder.build(connection).await.map(Box::new)
}

/// Says that no more is taken, ends what is under way, and waits for it to be read.
async fn finish(
    mut server: Box<Server>,
    mut requests: JoinSet<()>,
    quic: quinn::Connection,
) -> Closed {
    if let Err(error) = server.shutdown(0).await {
        return why(&error, &quic);
    }
    loop {
        tokio::select! {
            ended = requests.join_next() => if ended.is_none() { break },
            accepted = server.accept() => match accepted {
                // It was sent before its peer could know; it is not answered, and may be repeated.
                Ok(Some(late)) => drop(late),
                Ok(None) => break,
                Err(error) => return why(&error, &quic),
            },
        }
    }
    while requests.join_next().await.is_some() {}
    let wait = LINGER + quic.rtt().saturating_mul(3);
    tokio::select! {
        _ = quic.closed() => {}
        () = sleep(wait) => {}
    }
    Closed::Stopped
}

/// h3 hides why a connection ended; quinn tells.
fn why(error: &ConnectionError, quic: &quinn::Connection) -> Closed {
    log::debug!("{}: HTTP/3: {error}", quic.remote_address());
    let no_error = [0, Code::H3_NO_ERROR.value()];
    match quic.close_reason() {
        Some(quinn::ConnectionError::TimedOut) => Closed::Idle,
        Some(quinn::ConnectionError::ApplicationClosed(closed))
            if no_error.contains(&closed.error_code.into_inner()) =>
        {
            Closed::ByPeer
        }
        _ => Closed::Broken,
    }
}

/// One request.
async fn answer(resolver: RequestResolver<Connection, Bytes>, meter: Meter, router: Arc<Router>) {
    let limits = &router.limits;
    let metrics = &router.metrics;
    let broken = || metrics.requests.of(Way::Http3).count(Outcome::Broken);
    let (request, stream) = match timeout(limits.header_time, resolver.resolve_request()).await {
        Ok(Ok(resolved)) => resolved,
        Ok(Err(error)) => {
            log::debug!("HTTP/3: a request's header: {error}");
            return broken();
        }
        Err(_) => {
            // Dropping the stream tells the peer.
            metrics.refused.count(Reason::TooSlow);
            return broken();
        }
    };
    let (parts, ()) = Request::into_parts(request);
    let mut body = H3Body {
        stream,
        meter,
        has_ended: false,
    };
    let Some(answer) = router.answer(Way::Http3, &parts, &mut body).await else {
        return;
    };
    let mut stream = body.stream;
    if !body.has_ended {
        stream.stop_sending(Code::H3_NO_ERROR);
    }
    match timeout(limits.write_time, send(&mut stream, answer)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("HTTP/3: sending an answer: {error}"),
        Err(_) => stream.stop_stream(Code::H3_REQUEST_CANCELLED),
    }
}

async fn send(
    stream: &mut RequestStream<Both, Bytes>,
    answer: Response<Bytes>,
) -> Result<(), h3::error::StreamError> {
    let (mut parts, body) = answer.into_parts();
    let length = http::HeaderValue::from(body.len());
    parts.headers.insert(http::header::CONTENT_LENGTH, length);
    stream
        .send_response(Response::from_parts(parts, ()))
        .await?;
    if !body.is_empty() {
        stream.send_data(body).await?;
    }
    stream.finish().await
}

/// A body that comes over HTTP/3.
struct H3Body {
    stream: RequestStream<Both, Bytes>,
    meter: Meter,
    has_ended: bool,
}

impl Body for H3Body {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.has_ended {
            return Ok(None);
        }
        let piece = self.stream.recv_data().await;
        let Some(mut piece) = piece.map_err(|error| Broken(error.to_string()))? else {
            self.has_ended = true;
            return Ok(None);
        };
        let piece = piece.copy_to_bytes(piece.remaining());
        self.meter.taken(piece.len());
        Ok(Some(piece))
    }
}
