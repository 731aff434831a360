//! One connection to one endpoint, kept alive, opened anew when it broke.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, StatusCode, Version,
    body::Incoming,
    client::conn::http1,
    header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{Endpoint, HttpError, debug, tls};

/// Of the connection's own read buffer; headers must fit into it.
const MOST_BUFFER_BYTES: usize = 32 * 1_024;

/// How to reach an endpoint, and how long and how much to wait for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `http://` or `https://`, a host and maybe a port; the path belongs to the requests.
    pub endpoint: Endpoint,
    /// The name that the certificate must be for; none for the endpoint's host.
    pub server_name: Option<String>,
    /// Believe every certificate.
    pub insecure: bool,
    /// For the connection and its TLS handshake.
    pub connect_timeout: Duration,
    /// For all of an exchange, connecting included.
    pub total_timeout: Duration,
    /// Of an answer.
    pub most_body_bytes: usize,
    /// Log each exchange.
    pub debug: bool,
}

/// What is asked.
pub struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) secret_answer: bool,
    may_repeat: bool,
}

impl<'a> Request<'a> {
    /// GET.
    pub fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path, Bytes::new())
    }

    /// PUT of nothing.
    pub fn put(path: &'a str) -> Self {
        Self::new(Method::PUT, path, Bytes::new())
    }

    /// POST.
    pub fn post(path: &'a str, body: impl Into<Bytes>) -> Self {
        Self::new(Method::POST, path, body.into())
    }

    fn new(method: Method, path: &'a str, body: Bytes) -> Self {
        let is_idempotent = method.is_idempotent();
        Self {
            method,
            path,
            headers: Vec::new(),
            body,
            secret_answer: false,
            may_repeat: is_idempotent,
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With another body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// It does no harm when it is taken twice, whatever its method.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.may_repeat = true;
        self
    }

    /// The answer is a secret as a whole: debug mode shows nothing of it.
    #[must_use]
    pub fn secret_answer(mut self) -> Self {
        self.secret_answer = true;
        self
    }

    fn message(&self, endpoint: &Endpoint) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
        let mut message = hyper::Request::builder()
            .method(self.method.clone())
            .uri(self.path)
            .version(Version::HTTP_11)
            .header(HOST, endpoint.authority())
            .header(
                USER_AGENT,
                concat!("podledger-agent/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(self.body.clone()))
            .map_err(|error| HttpError::Endpoint {
                url: super::mask::body(self.path.as_bytes(), 200),
                reason: error.to_string(),
            })?;
        if self.body.is_empty() && self.method != Method::GET {
            // Hyper leaves it out, and some servers then wait for a body or answer 411.
            let none = HeaderValue::from_static("0");
            message.headers_mut().insert(CONTENT_LENGTH, none);
        }
        message.headers_mut().extend(self.headers.iter().cloned());
        Ok(message)
    }
}

/// What was answered, whatever its status.
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What is being waited for.
#[derive(Clone, Copy)]
enum Phase {
    Connect,
    Handshake,
    Answer,
    Body,
}

impl Phase {
    fn what(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
            Self::Answer => "the answer's beginning",
            Self::Body => "the answer's body",
        }
    }
}

struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why an attempt failed, and whether the request certainly may be sent once more.
struct Failure {
    error: HttpError,
    may_repeat: bool,
}

/// A client of one endpoint. It sends one request at a time.
pub struct Client {
    settings: Settings,
    tls: Option<TlsConnector>,
    ca_pem: Vec<u8>,
    /// Which of the host's addresses; none for the one that connects first.
    address: Option<SocketAddr>,
    connection: Option<Connection>,
    phase: Phase,
    /// The next answer will be about as large as the last one was.
    expected_bytes: usize,
}

impl Client {
    /// Connects at the first request. For `https` it then needs a CA, unless it is insecure.
    pub fn new(settings: Settings) -> Result<Self, HttpError> {
        let tls = if settings.endpoint.https && settings.insecure {
            Some(tls::insecure().map_err(|reason| HttpError::tls(&settings.endpoint, reason))?)
        } else {
            None
        };
        Ok(Self {
            settings,
            tls,
            ca_pem: Vec::new(),
            address: None,
            connection: None,
            phase: Phase::Connect,
            expected_bytes: 0,
        })
    }

    /// Believes these CAs from now on. What it knows already changes nothing and costs nothing.
    pub fn set_ca(&mut self, ca_pem: &[u8]) -> Result<(), HttpError> {
        if self.settings.insecure || (self.tls.is_some() && self.ca_pem == ca_pem) {
            return Ok(());
        }
        let tls = tls::verified(ca_pem)
            .map_err(|reason| HttpError::tls(&self.settings.endpoint, reason))?;
        self.tls = Some(tls);
        self.ca_pem = ca_pem.to_vec();
        self.connection = None;
        Ok(())
    }

    /// Connects to this address of the host from now on.
    pub fn connect_to(&mut self, address: SocketAddr) {
        self.address = Some(address);
        self.connection = None;
    }

    /// Ends the connection that it keeps.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.settings.endpoint
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&mut self, request: Request<'_>) -> Result<Answer, HttpError> {
        let limit = self.settings.total_timeout;
        let result = match timeout(limit, self.exchange(&request)).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out(limit)),
        };
        if self.settings.debug {
            let url = format!("{}{}", self.settings.endpoint, request.path);
            debug::log(&url, &request, &result);
        }
        result
    }

    fn timed_out(&self, after: Duration) -> HttpError {
        HttpError::Timeout {
            endpoint: self.settings.endpoint.to_string(),
            what: self.phase.what(),
            after,
        }
    }

    async fn exchange(&mut self, request: &Request<'_>) -> Result<Answer, HttpError> {
        self.phase = Phase::Answer;
        // It is put back only after a whole exchange, so that one which was given up is never used again.
        if let Some(mut kept) = self.connection.take()
            && kept.sender.ready().await.is_ok()
        {
            match self.attempt(kept, request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if failure.may_repeat => {}
                Err(failure) => return Err(failure.error),
            }
        }
        let fresh = self.connect().await?;
        let result = self.attempt(fresh, request).await;
        result.map_err(|failure| failure.error)
    }

    async fn attempt(
        &mut self,
        mut connection: Connection,
        request: &Request<'_>,
    ) -> Result<Answer, Failure> {
        self.phase = Phase::Answer;
        let endpoint = &self.settings.endpoint;
        let final_failure = |error| Failure {
            error,
            may_repeat: false,
        };
        let message = request.message(endpoint).map_err(final_failure)?;
        let response = connection.sender.send_request(message).await;
        let response = response.map_err(|error| Failure {
            may_repeat: may_repeat(&error, request.may_repeat),
            error: HttpError::broken(endpoint, &error),
        })?;
        self.phase = Phase::Body;
        let (parts, body) = response.into_parts();
        let body = self.collect(&parts.headers, body).await;
        let body = body.map_err(final_failure)?;
        self.connection = Some(connection);
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    async fn collect(
        &mut self,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<Vec<u8>, HttpError> {
        let most_bytes = self.settings.most_body_bytes;
        let too_large = || HttpError::TooLarge {
            endpoint: self.settings.endpoint.to_string(),
            most_bytes,
        };
        let told: Option<usize> = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if told.is_some_and(|told| told > most_bytes) {
            return Err(too_large());
        }
        let expected = told.unwrap_or(self.expected_bytes).min(most_bytes);
        let mut whole = Vec::with_capacity(expected.min(1_024 * 1_024));
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| HttpError::broken(&self.settings.endpoint, &error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if whole.len() + data.len() > most_bytes {
                return Err(too_large());
            }
            whole.extend_from_slice(&data);
        }
        self.expected_bytes = whole.len() + whole.len() / 8;
        Ok(whole)
    }

    async fn connect(&mut self) -> Result<Connection, HttpError> {
        self.phase = Phase::Connect;
        let limit = self.settings.connect_timeout;
        match timeout(limit, self.open()).await {
            Ok(connection) => connection,
            Err(_) => Err(self.timed_out(limit)),
        }
    }

    async fn open(&mut self) -> Result<Connection, HttpError> {
        let endpoint = &self.settings.endpoint;
        let tcp = match self.address {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await,
        };
        let tcp = tcp.map_err(|error| HttpError::connect(endpoint, &error))?;
        tcp.set_nodelay(true)
            .map_err(|error| HttpError::connect(endpoint, &error))?;
        if !endpoint.https {
            return talk(endpoint, tcp).await;
        }
        self.phase = Phase::Handshake;
        let Some(tls) = &self.tls else {
            return Err(HttpError::tls(endpoint, "no CA bundle is set"));
        };
        let name = self.settings.server_name.as_deref();
        let name = ServerName::try_from(name.unwrap_or(&endpoint.host).to_owned())
            .map_err(|_| HttpError::tls(endpoint, "the server name is no host name"))?;
        let stream = tls.connect(name, tcp).await.map_err(|error| {
            let reason = tls::reason_of(&error);
            HttpError::tls(endpoint, reason.unwrap_or_else(|| error.to_string()))
        })?;
        talk(endpoint, stream).await
    }
}

/// Begins HTTP on a stream. The driver is a task of its own, so that a close by the peer is seen while nothing is asked.
async fn talk<S>(endpoint: &Endpoint, stream: S) -> Result<Connection, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(MOST_BUFFER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| HttpError::broken(endpoint, &error))?;
    let driver = tokio::spawn(async move {
        // Its error reaches the request that it concerns.
        let _reported_there = driver.await;
    });
    Ok(Connection { sender, driver })
}

/// Whether a request on a kept connection was never taken, or can't do harm when it is taken twice.
fn may_repeat(error: &hyper::Error, is_idempotent: bool) -> bool {
    let is_closed = error.is_closed() || error.is_incomplete_message() || is_broken_pipe(error);
    error.is_canceled() || (is_closed && is_idempotent)
}

fn is_broken_pipe(error: &hyper::Error) -> bool {
    use std::{error::Error as _, io};
    let inner = error.source().and_then(|inner| inner.downcast_ref());
    inner.is_some_and(|error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::UnexpectedEof
        )
    })
}
