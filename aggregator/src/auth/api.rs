//! A small client of the API server: HTTP/1.1 over TLS, a few connections kept, token and CA of this
//! pod read anew as they rotate.

use std::{
    error::Error as _,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{config::Cluster, files};

/// Connections at a time; more requests wait.
const MOST_CONNECTIONS: usize = 16;
/// For a place, the connection, the question and the answer.
const TIME: Duration = Duration::from_secs(5);
/// Largest answer.
const MOST_ANSWER: usize = 1 << 20;
/// Largest token and bundle of CAs.
const MOST_TOKEN: u64 = 64 << 10;
const MOST_CA: u64 = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("reading this pod's {what} in {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the CA in {}: {reason}", path.display())]
    Ca { path: PathBuf, reason: String },
    #[error("connecting to the API server {host}:{port}")]
    Connect {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("the API server's name {0} is none")]
    Name(String),
    #[error("asking the API server")]
    Broken(#[source] hyper::Error),
    #[error("making the question: {0}")]
    Question(String),
    #[error("reading the API server's answer: {0}")]
    Answer(String),
    #[error("the API server did not answer within {} s", TIME.as_secs())]
    Time,
}

type Sender = http1::SendRequest<Full<Bytes>>;

/// See the module.
pub(super) struct Api {
    cluster: Cluster,
    places: Semaphore,
    kept: Mutex<Vec<Sender>>,
    trust: Mutex<Option<Trust>>,
}

/// The CAs that were read last.
struct Trust {
    pem: Vec<u8>,
    connector: TlsConnector,
}

impl Api {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            places: Semaphore::new(MOST_CONNECTIONS),
            kept: Mutex::default(),
            trust: Mutex::default(),
        }
    }

    /// Posts JSON; the whole answer.
    pub(super) async fn post(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ApiError> {
        let exchange = self.exchange(path, body.into());
        timeout(TIME, exchange).await.unwrap_or(Err(ApiError::Time))
    }

    async fn exchange(&self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), ApiError> {
        // It is never closed.
        let _place = self.places.acquire().await;
        while let Some(mut sender) = self.take_kept() {
            if sender.ready().await.is_err() {
                continue;
            }
            match self.ask(sender, path, &body).await {
                // It was closed while it was kept. A review asked twice does no harm.
                Err(ApiError::Broken(error)) if was_closed(&error) => {}
                result => return result,
            }
        }
        let sender = self.connect().await?;
        self.ask(sender, path, &body).await
    }

    async fn ask(
        &self,
        mut sender: Sender,
        path: &str,
        body: &Bytes,
    ) -> Result<(StatusCode, Bytes), ApiError> {
        let request = self.request(path, body.clone())?;
        let response = sender
            .send_request(request)
            .await
            .map_err(ApiError::Broken)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MOST_ANSWER).collect().await;
        let body = body.map_err(|error| ApiError::Answer(error.to_string()))?;
        self.keep(sender);
        Ok((parts.status, body.to_bytes()))
    }

    fn request(&self, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ApiError> {
        let question = |reason: &str| ApiError::Question(reason.to_owned());
        // Read each time: it is small, in memory, and rotates.
        let token = self.read("token", &self.cluster.token, MOST_TOKEN)?;
        let mut bearer = b"Bearer ".to_vec();
        bearer.extend_from_slice(token.trim_ascii());
        let mut bearer = HeaderValue::from_bytes(&bearer)
            .map_err(|_| question("this pod's token is not one word"))?;
        bearer.set_sensitive(true);
        Request::post(path)
            .header(header::HOST, authority(&self.cluster))
            .header(header::AUTHORIZATION, bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|error| question(&error.to_string()))
    }

    async fn connect(&self) -> Result<Sender, ApiError> {
        let Cluster { host, port, .. } = &self.cluster;
        let connector = self.connector()?;
        let name = ServerName::try_from(host.clone());
        let name = name.map_err(|_| ApiError::Name(host.clone()))?;
        let failed = |source| ApiError::Connect {
            host: host.clone(),
            port: *port,
            source,
        };
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let stream = connector.connect(name, stream).await.map_err(failed)?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(ApiError::Broken)?;
        tokio::spawn(async move {
            // Its error reaches the request that it concerns.
            drop(driver.await);
        });
        Ok(sender)
    }

    fn connector(&self) -> Result<TlsConnector, ApiError> {
        let path = &self.cluster.ca;
        let pem = self.read("CA", path, MOST_CA)?;
        // Each change leaves it whole.
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trust) = trust.as_ref().filter(|trust| trust.pem == pem) {
            return Ok(trust.connector.clone());
        }
        let connector = connector(&pem).map_err(|reason| ApiError::Ca {
            path: path.clone(),
            reason,
        })?;
        *trust = Some(Trust {
            pem,
            connector: connector.clone(),
        });
        Ok(connector)
    }

    fn read(&self, what: &'static str, path: &Path, most: u64) -> Result<Vec<u8>, ApiError> {
        files::read(path, most).map_err(|source| ApiError::File {
            what,
            path: path.to_owned(),
            source,
        })
    }

    fn take_kept(&self) -> Option<Sender> {
        self.kept().pop()
    }

    fn keep(&self, sender: Sender) {
        self.kept().push(sender);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Sender>> {
        // Never more than there are places.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn authority(cluster: &Cluster) -> String {
    match cluster.host.contains(':') {
        true => format!("[{}]:{}", cluster.host, cluster.port),
        false => format!("{}:{}", cluster.host, cluster.port),
    }
}

fn was_closed(error: &hyper::Error) -> bool {
    let is_io = |error: &(dyn std::error::Error + 'static)| error.is::<io::Error>();
    error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || error.source().is_some_and(is_io)
}

fn connector(pem: &[u8]) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("it is no PEM file: {error}"))?;
        let added = roots.add(certificate);
        added.map_err(|error| format!("it holds a broken certificate: {error}"))?;
    }
    if roots.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}
