//! How the aggregator is reached.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{
    delivery,
    lookup::{Lookup, System},
    spread, ways,
};
use crate::{
    config::{self, Transport},
    http::{Endpoint, HttpError},
};

/// See the module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://HOST:PORT`.
    pub endpoint: Endpoint,
    /// Which ways may be taken.
    pub transport: Transport,
    /// CAs to believe.
    pub ca_file: PathBuf,
    /// The name that its certificate is for, if not the endpoint's host.
    pub server_name: Option<String>,
    /// Believe every certificate.
    pub insecure: bool,
    /// The token for it; without such a file none is shown.
    pub token_file: PathBuf,
    /// Who tells the addresses of the endpoint's host.
    pub lookup: Arc<dyn Lookup>,
    /// Waits and bounds.
    pub limits: Limits,
}

/// Waits and bounds; only tests need others than the default.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// UDP silence after which HTTP/3 does not get through.
    pub patience: Duration,
    /// For TCP and its TLS handshake.
    pub connect_timeout: Duration,
    /// For an exchange as a whole.
    pub timeout: Duration,
    /// From one sign of life to the next on a QUIC connection that nothing is asked on.
    pub keep_alive: Duration,
    /// Silence that ends a QUIC connection.
    pub idle_timeout: Duration,
    /// Of an answer.
    pub most_answer_bytes: usize,
    /// Pace of the batches.
    pub pace: delivery::Pace,
    /// Pace of the probes.
    pub probes: ways::Timing,
    /// Of moves from one address to another.
    pub spread: spread::Timing,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: Duration::from_millis(1_500),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            // Address translation forgets UDP after 30 s.
            keep_alive: Duration::from_secs(15),
            // Both ends hold it to the shorter of theirs: what died without a word keeps its place at the
            // aggregator for so long.
            idle_timeout: Duration::from_secs(40),
            most_answer_bytes: 256 * 1024,
            pace: delivery::Pace::default(),
            probes: ways::Timing::default(),
            spread: spread::Timing::default(),
        }
    }
}

impl Settings {
    /// As configured; `url` is the configured endpoint.
    pub fn new(url: &str, config: &config::Aggregator) -> Result<Self, HttpError> {
        let endpoint = Endpoint::parse(url)?;
        if !endpoint.https {
            return Err(HttpError::Endpoint {
                url: endpoint.to_string(),
                reason: "the aggregator is reached by https:// only".to_owned(),
            });
        }
        Ok(Self {
            endpoint,
            transport: config.transport,
            ca_file: config.ca_file.clone(),
            server_name: config.server_name.clone(),
            insecure: config.insecure,
            token_file: config.token_file.clone(),
            lookup: Arc::new(System),
            limits: Limits::default(),
        })
    }

    /// The name that the certificate must be for.
    pub(super) fn name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.endpoint.host)
    }

    /// The endpoint's address, where its host is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let host: IpAddr = self.endpoint.host.parse().ok()?;
        Some(SocketAddr::new(host, self.endpoint.port))
    }

    /// Where batches are sent.
    pub(super) fn path(&self) -> String {
        let prefix = self.endpoint.path.split('?').next().unwrap_or_default();
        format!(
            "{}{}",
            prefix.trim_end_matches('/'),
            protocol::exchange::PATH
        )
    }
}
