//! What all fakes share: a thread with a runtime of its own that accepts, speaks HTTP/1.1, plain or TLS,
//! writes the journal and ends when dropped.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, Uri, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

use super::access::Access;
use super::body::Content;
use super::certificates::Shown;
use super::journal::Journal;

/// A request's body is a `TokenReview` at most.
const REQUEST_BYTES: usize = 1 << 20;

/// A request with its body.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What becomes of a request.
pub(super) enum Reply {
    Answer(Response<Content>),
    /// The answer, after a while.
    After(Duration, Response<Content>),
    /// The answer, and then the connection is closed without having said so.
    ThenClose(Response<Content>),
    /// TCP reset.
    Reset,
    /// Nothing, ever.
    Hang,
}

/// What a fake is beyond a server.
pub(super) trait Answers: Send + Sync + 'static {
    /// Runs within the server's runtime.
    fn answer(&self, asked: &Asked) -> Reply;

    /// The certificate for a connection that begins.
    fn shown(&self) -> Shown {
        Shown::Good
    }
}

/// A server; it ends when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) journal: Journal,
    /// Counts how often all connections were closed; closing it ends the server.
    closing: Option<watch::Sender<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// With TLS if there is an [`Access`] to take certificates of.
    pub(super) fn start(
        address: SocketAddr,
        tls: Option<Access>,
        answers: Arc<impl Answers>,
    ) -> Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("making a runtime")?;
        let (closing, closed) = watch::channel(0);
        let journal = Journal::default();
        let serving = Serving {
            tls,
            answers,
            journal: journal.clone(),
            closed,
        };
        let thread = thread::Builder::new()
            .name("fake".to_owned())
            .spawn(move || runtime.block_on(serving.accept(listener)))?;
        Ok(Self {
            address,
            journal,
            closing: Some(closing),
            thread: Some(thread),
        })
    }

    /// Cuts every connection, whatever is under way on it.
    pub(super) fn close_connections(&self) {
        if let Some(closing) = &self.closing {
            closing.send_modify(|count| *count += 1);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.closing.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = ended {
            crate::harness::say("warning: a fake's thread panicked");
        }
    }
}

struct Serving<A> {
    tls: Option<Access>,
    answers: Arc<A>,
    journal: Journal,
    closed: watch::Receiver<u64>,
}

impl<A> Clone for Serving<A> {
    fn clone(&self) -> Self {
        Self {
            tls: self.tls.clone(),
            answers: Arc::clone(&self.answers),
            journal: self.journal.clone(),
            closed: self.closed.clone(),
        }
    }
}

impl<A: Answers> Serving<A> {
    async fn accept(mut self, listener: TcpListener) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        let number = NEXT.fetch_add(1, Ordering::Relaxed);
                        tokio::spawn(self.clone().connection(stream, number));
                    }
                }
                closed = self.closed.changed() => if closed.is_err() { return },
            }
        }
    }

    async fn connection(mut self, stream: TcpStream, number: u64) {
        self.closed.mark_unchanged();
        let mut closed = self.closed.clone();
        let serve = async {
            // Small answers are not to wait for the client's acknowledgement.
            drop(stream.set_nodelay(true));
            let Ok(control) = SockRef::from(&stream).try_clone() else {
                return;
            };
            match &self.tls {
                None => self.http(stream, control, number).await,
                Some(access) => {
                    let Ok(config) = access.server(self.answers.shown()) else {
                        return;
                    };
                    match TlsAcceptor::from(config).accept(stream).await {
                        Ok(stream) => self.http(stream, control, number).await,
                        Err(_) => self.journal.handshake_failed(),
                    }
                }
            }
        };
        tokio::select! {
            () = serve => {}
            // The connection goes with the future that is dropped here.
            _ = closed.changed() => {}
        }
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        control: Socket,
        number: u64,
    ) {
        let close = Arc::new(Notify::new());
        let service = service_fn(|request| self.exchange(request, &control, number, &close));
        let mut builder = http1::Builder::new();
        // As Go writes them.
        builder.title_case_headers(true);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // How a connection ended is the client's business, or the fault that a test asked for.
            ended = connection.as_mut() => drop(ended),
            () = close.notified() => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
    }

    async fn exchange(
        &self,
        request: Request<Incoming>,
        control: &Socket,
        number: u64,
        close: &Arc<Notify>,
    ) -> io::Result<Response<Content>> {
        // Closing is told to another thread: no request is answered on what was closed before it came.
        if self.closed.has_changed().unwrap_or(true) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let path = request
            .uri()
            .path_and_query()
            .map_or("", |path| path.as_str());
        let in_flight = self.journal.begin(request.method().as_str(), path, number);
        let (head, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BYTES).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes();
        let asked = Asked {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
        };
        let mut closing = None;
        let response = match self.answers.answer(&asked) {
            Reply::Answer(response) => response,
            Reply::After(delay, response) => {
                tokio::time::sleep(delay).await;
                response
            }
            Reply::ThenClose(response) => {
                closing = Some(CloseWhenDropped(Arc::clone(close)));
                response
            }
            Reply::Reset => {
                // Closing then sends a reset instead of the regular end.
                control.set_linger(Some(Duration::ZERO))?;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Reply::Hang => match std::future::pending::<Infallible>().await {},
        };
        in_flight.answered(response.status().as_u16());
        Ok(response.map(|content| content.holding(in_flight).holding(closing)))
    }
}

struct CloseWhenDropped(Arc<Notify>);

impl Drop for CloseWhenDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
