//! The certificate of the port, read again when its files change. A broken new pair is told, and the
//! one before stays in use.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    files,
    status::{Metrics, Reload},
};

/// Largest file of a certificate chain or a key.
const MOST_BYTES: u64 = 1 << 20;
/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(5);

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("reading the {what} in {}", path.display())]
    Read {
        /// Which.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("the {what} in {}: {reason}", path.display())]
    Content {
        /// Which.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// They don't belong together, or the library has a say.
    #[error("certificate and key can't be used together")]
    Pair(#[source] rustls::Error),
    /// This build has no TLS that the port could speak.
    #[error("setting up TLS")]
    Setup(#[source] rustls::Error),
}

/// Where the pair lies.
#[derive(Clone, Debug)]
pub struct Files {
    /// Certificate and those between it and its CA, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Certificate {
    files: Files,
    provider: Arc<CryptoProvider>,
    current: RwLock<Current>,
}

/// Certificate and key as they lie in the files.
type Pair = (Vec<u8>, Vec<u8>);

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    seen: Pair,
}

impl Certificate {
    /// Reads the pair.
    pub(super) fn open(files: Files) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let seen = files.read()?;
        let key = Arc::new(files.parse(&seen, &provider)?);
        Ok(Arc::new(Self {
            files,
            provider,
            current: RwLock::new(Current { key, seen }),
        }))
    }

    /// Looks at the files from time to time, for ever.
    pub(super) async fn watch(self: Arc<Self>, metrics: Arc<Metrics>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.renew() {
                Ok(false) => {}
                Ok(true) => {
                    metrics.reloads.count(Reload::Used);
                    log::info!("the new certificate is in use");
                }
                Err(error) => {
                    metrics.reloads.count(Reload::Broken);
                    log::error!(
                        "the certificate that was read before stays in use: {}",
                        crate::error_chain(&error)
                    );
                }
            }
        }
    }

    /// Whether there is a new pair. What can't be used is told once, not at every look.
    fn renew(&self) -> Result<bool, TlsError> {
        let seen = self.files.read()?;
        if self.read(|current| current.seen == seen) {
            return Ok(false);
        }
        let parsed = self.files.parse(&seen, &self.provider);
        // Each write leaves it whole.
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.seen = seen;
        current.key = Arc::new(parsed?);
        Ok(true)
    }

    fn read<T>(&self, look: impl FnOnce(&Current) -> T) -> T {
        look(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What TCP speaks: HTTP/2 and HTTP/1.1.
    pub(super) fn for_tcp(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        self.config(&versions, &[b"h2", b"http/1.1"]).map(Arc::new)
    }

    /// What QUIC speaks: HTTP/3.
    pub(super) fn for_quic(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        self.config(&[&rustls::version::TLS13], &[b"h3"])
    }

    fn config(
        self: &Arc<Self>,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> Result<ServerConfig, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions)
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // Whoever comes back makes a whole handshake: no session is kept, no early data can be
        // replayed, and a new certificate is seen at once.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.read(|current| Arc::clone(&current.key)))
    }
}

impl Files {
    /// Whether they can be used.
    pub fn check(&self) -> Result<(), TlsError> {
        self.parse(&self.read()?, &ring::default_provider())
            .map(drop)
    }

    fn read(&self) -> Result<Pair, TlsError> {
        let read = |what, path: &PathBuf| {
            files::read(path, MOST_BYTES).map_err(|source| TlsError::Read {
                what,
                path: path.clone(),
                source,
            })
        };
        let certificate = read("certificate", &self.certificate)?;
        Ok((certificate, read("key", &self.key)?))
    }

    fn parse(&self, pair: &Pair, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pair.0).collect();
        let content = |what, path: &PathBuf, reason: String| TlsError::Content {
            what,
            path: path.clone(),
            reason,
        };
        let broken_chain = |reason| content("certificate", &self.certificate, reason);
        let chain = chain.map_err(|error| broken_chain(format!("it is no PEM file: {error}")))?;
        if chain.is_empty() {
            return Err(broken_chain("it holds no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&pair.1)
            .map_err(|error| content("key", &self.key, format!("it holds no key: {error}")))?;
        CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)
    }
}
