//! Whom a client believes: the holder of a certificate that the CA bundle vouches for, or, when that
//! is switched off, anybody.

use std::{error::Error as StdError, io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio_rustls::TlsConnector;

use super::mask;

/// One endpoint needs no more; the library's default is for 256 of them.
const KEPT_SESSIONS: usize = 1;
/// A certificate may name thousands of hosts.
const MOST_NAMES: usize = 5;

/// The CAs of a bundle.
pub(crate) fn roots(ca_pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let certificate =
            certificate.map_err(|error| format!("the CA bundle is no PEM file: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("the CA bundle holds a broken certificate: {error}"))?;
    }
    if roots.is_empty() {
        return Err("the CA bundle holds no certificate".to_owned());
    }
    Ok(roots)
}

/// Connects in a way that believes the CAs of `ca_pem`.
pub(super) fn verified(ca_pem: &[u8]) -> Result<TlsConnector, String> {
    let roots = roots(ca_pem)?;
    let (builder, _) = builder()?;
    Ok(connector(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// Connects to anybody.
pub(super) fn insecure() -> Result<TlsConnector, String> {
    let (builder, provider) = builder()?;
    Ok(connector(
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
    ))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<(Builder, Arc<CryptoProvider>), String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?;
    Ok((builder, provider))
}

fn connector(mut config: ClientConfig) -> TlsConnector {
    config.resumption = Resumption::in_memory_sessions(KEPT_SESSIONS);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Takes every certificate, but its holder must still prove to hold it.
#[derive(Debug)]
pub(crate) struct Anybody(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// In plain words, if TLS is what went wrong.
pub(super) fn reason_of(error: &(dyn StdError + 'static)) -> Option<String> {
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .and_then(|inner| inner.downcast_ref::<TlsError>());
    inner
        .or_else(|| error.downcast_ref::<TlsError>())
        .map(|error| mask::body(reason(error).as_bytes(), 500))
}

/// In plain words.
pub(crate) fn reason(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(error) => distrust(error),
        TlsError::InvalidMessage(_) => "it does not speak TLS: is it http, not https?".to_owned(),
        TlsError::AlertReceived(alert) => format!("it ended the handshake with {alert:?}"),
        other => other.to_string(),
    }
}

fn distrust(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "unknown issuer: its certificate is signed by nobody \
            in the CA bundle; give the CA that signed it"
            .to_owned(),
        // Cluster CAs are often all named `kubernetes`.
        CertificateError::BadSignature => "unknown issuer: its certificate is signed by another \
            authority of the same name as the one in the CA bundle; give the CA that signed it"
            .to_owned(),
        CertificateError::NotValidForName => {
            "wrong name: its certificate is for another host; set the server name".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "wrong name: its certificate is for {}, not for {}; set the server name to what it is for",
            names(presented),
            expected.to_str()
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "expired: its certificate must be renewed, or this node's clock is wrong".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet, or this node's clock is wrong".to_owned()
        }
        other => format!("its certificate is refused: {other}"),
    }
}

fn names(presented: &[String]) -> String {
    match presented.len() {
        0 => "no name at all".to_owned(),
        1..=MOST_NAMES => presented.join(", "),
        more => format!(
            "{} and {} more",
            presented[..MOST_NAMES].join(", "),
            more - MOST_NAMES
        ),
    }
}
