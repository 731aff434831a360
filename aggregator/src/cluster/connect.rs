//! Connections to the API server, and the CAs that it is believed by.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ApiError;
use crate::{config::Cluster, files};

/// Largest bundle of CAs.
const MOST_CA: u64 = 1 << 20;

/// Asks on one connection.
pub(super) type Sender = http1::SendRequest<Full<Bytes>>;

/// The CAs that were read last.
#[derive(Default)]
pub(super) struct Trust(Mutex<Option<(Vec<u8>, TlsConnector)>>);

impl Trust {
    /// A new connection.
    pub(super) async fn connect(&self, cluster: &Cluster) -> Result<Sender, ApiError> {
        let Cluster { host, port, .. } = cluster;
        let connector = self.connector(&cluster.ca)?;
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

    fn connector(&self, path: &Path) -> Result<TlsConnector, ApiError> {
        let pem = read("CA", path, MOST_CA)?;
        // Each change leaves it whole.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = known.as_ref().filter(|(known, _)| *known == pem) {
            return Ok(connector.clone());
        }
        let connector = connector(&pem).map_err(|reason| ApiError::Ca {
            path: path.to_owned(),
            reason,
        })?;
        *known = Some((pem, connector.clone()));
        Ok(connector)
    }
}

/// One of this pod's files.
pub(super) fn read(what: &'static str, path: &Path, most: u64) -> Result<Vec<u8>, ApiError> {
    files::read(path, most).map_err(|source: io::Error| ApiError::File {
        what,
        path: path.to_owned(),
        source,
    })
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
