//! A front on a free port with everything around it faked, and clients for each way.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use protocol::{Ack, Epoch, Refusal, RefusalKind, exchange};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Files, Front, Limits, Pushes, Router, Stop, Stopper, Taker, stop};
use crate::{
    auth::Authenticator,
    push::NotTaken,
    status::{self, Metrics, Reporter, Way},
};

/// A directory of its own, removed at the end.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        let number: u64 = rand::random();
        let path = std::env::temp_dir().join(format!("podledger-aggregator-{number:x}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A fresh pair for `localhost` in the usual files; its certificate, which is its own CA.
    pub(crate) fn certificate(&self) -> String {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let pair = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = pair.cert.pem();
        self.write("tls.crt", &certificate);
        self.write("tls.key", pair.signing_key.serialize_pem());
        certificate
    }

    pub(crate) fn files(&self) -> Files {
        Files {
            certificate: self.0.join("tls.crt"),
            key: self.0.join("tls.key"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Takes everything, or what it is told.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) taken: Mutex<Vec<(Option<String>, Bytes)>>,
    pub(crate) refuses: Mutex<Option<Refusal>>,
    pub(crate) is_held: AtomicBool,
    pub(crate) forgets: AtomicBool,
    pub(crate) waiting: AtomicUsize,
    pub(crate) came: Notify,
    pub(crate) go: Notify,
}

pub(crate) fn ack() -> Ack {
    Ack {
        instance: Epoch([7; 16]),
        table_id: "table".to_owned(),
        answers: Vec::new(),
    }
}

#[async_trait]
impl Taker for Fake {
    async fn take(&self, node: Option<&str>, body: Bytes) -> Result<Ack, Refusal> {
        if self.is_held.load(SeqCst) {
            self.waiting.fetch_add(1, SeqCst);
            self.came.notify_one();
            self.go.notified().await;
        }
        if let Some(refusal) = self.refuses.lock().unwrap().clone() {
            return Err(refusal);
        }
        if self.forgets.load(SeqCst) {
            return Ok(ack());
        }
        let taken = (node.map(str::to_owned), body);
        self.taken.lock().unwrap().push(taken);
        Ok(ack())
    }

    async fn push(&self, node: Option<&str>, body: &[u8]) -> Result<(), NotTaken> {
        match body {
            b"wrong" => Err(NotTaken::new(
                RefusalKind::Malformed,
                "pods[3].name",
                "none",
            )),
            b"busy" => Err(NotTaken::new(RefusalKind::Busy, "request", "full")),
            body => {
                let body = Bytes::copy_from_slice(body);
                let taken = (node.map(str::to_owned), body);
                self.taken.lock().unwrap().push(taken);
                Ok(())
            }
        }
    }
}

/// Everything that a test needs.
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) fake: Arc<Fake>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopper: Stopper,
    pub(crate) address: SocketAddr,
    pub(crate) running: JoinHandle<()>,
    ca: String,
    limits: Limits,
    stop: Stop,
}

impl Stage {
    /// With few limits changed.
    pub(crate) async fn new(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with(Authenticator::None, change).await
    }

    pub(crate) async fn with(auth: Authenticator, change: impl FnOnce(&mut Limits)) -> Self {
        Self::made(auth, false, change).await
    }

    /// That takes pushes.
    pub(crate) async fn pushing(auth: Authenticator, change: impl FnOnce(&mut Limits)) -> Self {
        Self::made(auth, true, change).await
    }

    async fn made(auth: Authenticator, is_on: bool, change: impl FnOnce(&mut Limits)) -> Self {
        let place = Place::new();
        let ca = place.certificate();
        let mut limits = Limits::default();
        change(&mut limits);
        let (stopper, stop) = stop();
        let (fake, metrics) = (Arc::new(Fake::default()), Arc::new(Metrics::default()));
        let taker: Arc<dyn Taker> = fake.clone();
        let router = Router::new(taker, auth, Arc::clone(&metrics), limits, stop.clone());
        let pushes = Pushes::new(is_on, limits, Arc::clone(&metrics), stop.clone());
        let router = router.with_pushes(Arc::new(pushes));
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let front = Front::open(any, place.files(), router).await.unwrap();
        let address = front.address().unwrap();
        Self {
            running: tokio::spawn(front.run()),
            place,
            fake,
            metrics,
            stopper,
            address,
            ca,
            limits,
            stop,
        }
    }

    /// A status listener beside it, which takes pushes or does not.
    pub(crate) async fn status(&self, is_on: bool) -> SocketAddr {
        let taker: Arc<dyn Taker> = self.fake.clone();
        self.status_of(is_on, OnceLock::from(taker)).await
    }

    /// One whose tables are still being opened.
    pub(crate) async fn status_without_tables(&self) -> SocketAddr {
        self.status_of(true, OnceLock::new()).await
    }

    async fn status_of(&self, is_on: bool, taker: OnceLock<Arc<dyn Taker>>) -> SocketAddr {
        let metrics = Arc::clone(&self.metrics);
        let pushes = Pushes::new(is_on, self.limits, Arc::clone(&metrics), self.stop.clone());
        let reporter = Reporter {
            metrics,
            taker,
            pushes: Arc::new(pushes),
            stop: self.stop.clone(),
            watches: Arc::new(crate::enrich::watch::Watches::off()),
            debug_k8s_api: false,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(status::serve(listener, Arc::new(reporter)));
        address
    }

    /// Who believes this stage's certificate, and speaks that.
    pub(crate) fn client_config(&self, protocol: &[u8]) -> ClientConfig {
        client_config(&self.ca, protocol)
    }

    /// TLS over TCP.
    pub(crate) async fn tls(&self, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::new(self.client_config(protocol)));
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, stream).await
    }

    /// A connection of that way.
    pub(crate) async fn client(&self, way: Way) -> Client {
        match way {
            Way::Http1 => {
                let stream = TokioIo::new(self.tls(b"http/1.1").await.unwrap());
                let (sender, driver) = hyper::client::conn::http1::handshake(stream).await.unwrap();
                tokio::spawn(driver);
                Client::Http1(sender)
            }
            Way::Http2 => {
                let stream = TokioIo::new(self.tls(b"h2").await.unwrap());
                let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
                let (sender, driver) = builder.handshake(stream).await.unwrap();
                tokio::spawn(driver);
                Client::Http2(sender)
            }
            _ => Client::Http3(self.h3().await.unwrap()),
        }
    }

    /// A QUIC connection.
    pub(crate) async fn quic(&self) -> Result<quinn::Connection, quinn::ConnectionError> {
        let config = self.client_config(b"h3");
        let tls = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(tls));
        let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let connecting = endpoint.connect_with(config, self.address, "localhost");
        connecting.unwrap().await
    }

    async fn h3(&self) -> Result<H3, quinn::ConnectionError> {
        Ok(h3_client(self.quic().await?).await)
    }

    /// The front has ended, and nothing is left open.
    pub(crate) async fn ended(self) {
        self.running.await.unwrap();
        for (way, open) in self.metrics.connections.each() {
            assert_eq!(open, 0, "{way} is still open");
        }
    }
}

pub(crate) fn client_config(ca: &str, protocol: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

/// HTTP/3 on a connection.
pub(crate) async fn h3_client(quic: quinn::Connection) -> H3 {
    let client = h3::client::new(h3_quinn::Connection::new(quic.clone())).await;
    let (mut driver, sender) = client.unwrap();
    let driver = tokio::spawn(async move { driver.wait_idle().await });
    H3 {
        sender,
        quic,
        _driver: driver,
    }
}

pub(crate) struct H3 {
    pub(crate) sender: h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    pub(crate) quic: quinn::Connection,
    _driver: JoinHandle<h3::error::ConnectionError>,
}

/// A client of any way.
pub(crate) enum Client {
    Http1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
    Http3(H3),
}

/// What came back, or why nothing did.
pub(crate) type Came = Result<Response<Bytes>, String>;

impl Client {
    /// Without TLS.
    pub(crate) async fn plain(address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (sender, driver) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(driver);
        Self::Http1(sender)
    }

    pub(crate) async fn send(&mut self, request: Request<Bytes>) -> Came {
        let response = match self {
            Self::Http1(sender) => sender.send_request(request.map(Full::new)).await,
            Self::Http2(sender) => sender.send_request(request.map(Full::new)).await,
            Self::Http3(h3) => return h3.send(request).await,
        };
        let (parts, body) = response.map_err(|error| format!("{error:?}"))?.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}

impl H3 {
    async fn send(&mut self, request: Request<Bytes>) -> Came {
        let told = |error: h3::error::StreamError| error.to_string();
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, ());
        let mut stream = self.sender.send_request(head).await.map_err(told)?;
        // A server that refuses does not wait for the body.
        if stream.send_data(body).await.is_ok() {
            drop(stream.finish().await);
        }
        let (parts, ()) = stream.recv_response().await.map_err(told)?.into_parts();
        let mut body = Vec::new();
        while let Some(mut piece) = stream.recv_data().await.map_err(told)? {
            body.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
        }
        Ok(Response::from_parts(parts, body.into()))
    }
}

/// A request as agents make it.
pub(crate) fn post(body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(format!("https://localhost{}", exchange::PATH))
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, exchange::CONTENT_TYPE)
        .body(body.into())
        .unwrap()
}

/// What a refusal says.
pub(crate) fn refusal(came: &Came) -> (u16, RefusalKind, String) {
    let response = came.as_ref().unwrap();
    let refusal: Refusal = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), refusal.kind, refusal.reason)
}
