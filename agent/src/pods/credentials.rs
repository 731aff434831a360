//! Token and CA bundle, by content: whoever connects anew does so with what the files hold now.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{client::Settings, error::ApiError};
use crate::http::secret_file;

const DEFAULT_TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const DEFAULT_CA_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// What the files held.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    /// None without TLS: a token is not shown to everybody on the way.
    pub token: Option<String>,
    /// The CA bundle; none without TLS, or where every certificate is believed.
    pub ca_pem: Option<Vec<u8>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .finish_non_exhaustive()
    }
}

impl Credentials {
    pub fn read(settings: &Settings, is_https: bool) -> Result<Self, ApiError> {
        if !is_https {
            return Ok(Self::default());
        }
        Ok(Self {
            token: read_token(settings)?,
            ca_pem: read_ca(settings)?,
        })
    }

    /// The certificates of the CA bundle.
    pub fn authorities(&self, settings: &Settings) -> Result<Option<Vec<Vec<u8>>>, ApiError> {
        let Some(pem) = &self.ca_pem else {
            return Ok(None);
        };
        let bad = |reason: String| ApiError::Ca {
            path: ca_path(settings).to_owned(),
            reason,
        };
        let mut authorities = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| bad(format!("it is no PEM file: {error}")))?;
            authorities.push(certificate.to_vec());
        }
        if authorities.is_empty() {
            return Err(bad("it holds no certificate".into()));
        }
        Ok(Some(authorities))
    }
}

fn ca_path(settings: &Settings) -> &Path {
    let default = Path::new(DEFAULT_CA_FILE);
    settings.ca_file.as_deref().unwrap_or(default)
}

fn read_ca(settings: &Settings) -> Result<Option<Vec<u8>>, ApiError> {
    if settings.insecure {
        return Ok(None);
    }
    let path = ca_path(settings);
    let content = secret_file::read(path, secret_file::MOST_CA_BYTES);
    content.map(Some).map_err(|error| ApiError::Ca {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn read_token(settings: &Settings) -> Result<Option<String>, ApiError> {
    let configured: Option<PathBuf> = settings.token_file.clone();
    let path = match &configured {
        Some(path) => path.as_path(),
        None => Path::new(DEFAULT_TOKEN_FILE),
    };
    let bad = |reason: String| ApiError::Token {
        path: path.to_owned(),
        reason,
    };
    let content = match secret_file::read(path, secret_file::MOST_TOKEN_BYTES) {
        Ok(content) => content,
        // A server that is named may be one that asks for none.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && configured.is_none()
                && settings.api_server.is_some() =>
        {
            return Ok(None);
        }
        Err(error) => return Err(bad(error.to_string())),
    };
    let token = secret_file::token(&content).map_err(|reason| bad(reason.into()))?;
    Ok(Some(String::from_utf8_lossy(token).into_owned()))
}
