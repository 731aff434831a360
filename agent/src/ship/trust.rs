//! Whom a QUIC connection believes. It knows as little of a failed handshake as a number and a text;
//! so the verifier is asked itself what it did not like.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use quinn::crypto::rustls::QuicClientConfig;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::http::tls;

/// See the module.
#[derive(Clone)]
pub(super) struct Trust {
    pub config: Arc<QuicClientConfig>,
    said: Arc<Mutex<Option<String>>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// In those whom the CAs vouch for; without CAs in everybody.
    pub fn new(ca_pem: Option<&[u8]>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let inner: Arc<dyn ServerCertVerifier> = match ca_pem {
            None => Arc::new(tls::Anybody(Arc::clone(&provider))),
            Some(pem) => {
                let roots = Arc::new(tls::roots(pem)?);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                verifier
                    .build()
                    .map_err(|error| format!("the CA bundle is of no use: {error}"))?
            }
        };
        let said = Arc::new(Mutex::new(None));
        let witness = Witness {
            inner,
            said: Arc::clone(&said),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(witness))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h3".to_vec()];
        // What is sent twice is no harm, but what can be replayed by others carries a token.
        config.enable_early_data = false;
        config.resumption = Resumption::in_memory_sessions(1);
        let config = QuicClientConfig::try_from(config).map_err(|error| error.to_string())?;
        Ok(Self {
            config: Arc::new(config),
            said,
        })
    }

    /// What the verifier did not like since it was last asked.
    pub fn distrust(&self) -> Option<String> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.take()
    }
}

/// Leaves the decision to another one and remembers why it said no.
#[derive(Debug)]
struct Witness {
    inner: Arc<dyn ServerCertVerifier>,
    said: Arc<Mutex<Option<String>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let result = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if let Err(error) = &result {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            *said = Some(tls::reason(error));
        }
        result
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
