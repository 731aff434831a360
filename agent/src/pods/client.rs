//! How the API server is asked: one GET at a time, by a client that is built anew when the token or the
//! CA bundle changed.

use std::{path::PathBuf, time::Duration};

use http_body_util::BodyExt as _;
use hyper::{Request, Response, Uri, header};
use kube::client::Body;
use tokio::time::timeout;

use super::{credentials::Credentials, error::ApiError};
use crate::http::{Endpoint, HeaderMap, HeaderValue, StatusCode};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the answer's beginning, and between two parts of an answer that is no watch.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Of an answer that tells why not.
const MOST_REFUSAL_BYTES: usize = 16 * 1_024;
/// Longer waits than this are not obeyed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// How to reach the API server, and what to ask it for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URL; none for the one that a pod's environment tells.
    pub api_server: Option<String>,
    /// File with the token; none for a pod's service account. It is never sent without TLS.
    pub token_file: Option<PathBuf>,
    /// File with the CAs to believe; none for a pod's service account.
    pub ca_file: Option<PathBuf>,
    /// Believe every certificate.
    pub insecure: bool,
    /// This node's name.
    pub node_name: String,
    /// A watch that tells nothing for so long is opened anew.
    pub silence: Duration,
    /// Log what is asked and answered.
    pub debug: bool,
}

impl Settings {
    /// Those of a pod on the node.
    pub fn in_cluster(node_name: impl Into<String>) -> Self {
        Self {
            api_server: None,
            token_file: None,
            ca_file: None,
            insecure: false,
            node_name: node_name.into(),
            silence: Duration::from_secs(120),
            debug: false,
        }
    }

    fn url(&self) -> Result<String, ApiError> {
        if let Some(url) = &self.api_server {
            return Ok(url.clone());
        }
        let of_pod = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let host = of_pod("KUBERNETES_SERVICE_HOST").ok_or(ApiError::NoServer)?;
        let port = of_pod("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".into());
        let is_ipv6 = host.contains(':') && !host.starts_with('[');
        Ok(if is_ipv6 {
            format!("https://[{host}]:{port}")
        } else {
            format!("https://{host}:{port}")
        })
    }
}

/// The API server.
pub(super) struct Api {
    settings: Settings,
    connected: Option<(kube::Client, Credentials)>,
}

impl Api {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connected: None,
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Looks at the files. True if they changed, and with them the client.
    pub fn refresh(&mut self) -> Result<bool, ApiError> {
        if self.settings.node_name.is_empty() {
            // An empty selector would name the pods that are on no node.
            return Err(ApiError::NoNode);
        }
        let url = self.settings.url()?;
        let endpoint =
            Endpoint::parse(&url).map_err(|error| ApiError::Address(error.to_string()))?;
        match self.build(&url, endpoint.https) {
            Ok(None) => Ok(false),
            Ok(Some(connected)) => {
                self.connected = Some(connected);
                Ok(true)
            }
            Err(error) if self.connected.is_some() => {
                // A file may be missing for an instant, or for good in a pod that is being removed.
                log::warn!("pods: {error}; the old content still serves");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// None if nothing changed.
    fn build(
        &self,
        url: &str,
        is_https: bool,
    ) -> Result<Option<(kube::Client, Credentials)>, ApiError> {
        let credentials = Credentials::read(&self.settings, is_https)?;
        if let Some((_, old)) = &self.connected
            && *old == credentials
        {
            return Ok(None);
        }
        let client = self.client(url, &credentials)?;
        Ok(Some((client, credentials)))
    }

    fn client(&self, url: &str, credentials: &Credentials) -> Result<kube::Client, ApiError> {
        // The library takes what the process has; another one that is set already does as well.
        let _set_already = rustls::crypto::ring::default_provider().install_default();
        let url: Uri = url
            .parse()
            .map_err(|_| ApiError::Address("it is no URL".into()))?;
        let mut config = kube::Config::new(url);
        config.root_cert = credentials.authorities(&self.settings)?;
        config.accept_invalid_certs = self.settings.insecure;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // How long to wait is told by the server and decided by the caller.
        config.default_retry = false;
        if let Some(token) = &credentials.token {
            let value = format!("Bearer {token}");
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| ApiError::Address("the token can't be sent".into()))?;
            value.set_sensitive(true);
            config.headers.push((header::AUTHORIZATION, value));
        }
        kube::Client::try_from(config).map_err(|error| ApiError::of_transport(&error))
    }

    /// Asks, and waits for the beginning of a good answer. `rule` is what the agent's role must allow.
    pub async fn get(&self, path: &str, rule: &'static str) -> Result<Response<Body>, ApiError> {
        let Some((client, _)) = &self.connected else {
            return Err(ApiError::NoServer);
        };
        let request = Request::get(path)
            .header(header::ACCEPT, "application/json")
            .header(
                header::USER_AGENT,
                concat!("podledger-agent/", env!("CARGO_PKG_VERSION")),
            )
            .body(Body::empty())
            .map_err(|error| ApiError::Address(error.to_string()))?;
        let answer = timeout(ANSWER_TIMEOUT, client.send(request)).await;
        let answer = match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ApiError::of_transport(&error)),
            Err(_) => Err(ApiError::Timeout(ANSWER_TIMEOUT)),
        };
        self.log(path, &answer);
        let answer = answer?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        Err(refusal(answer, rule).await)
    }

    fn log(&self, path: &str, answer: &Result<Response<Body>, ApiError>) {
        if !self.settings.debug {
            return;
        }
        match answer {
            Ok(answer) => log::debug!("K8S API [GET] {path} -> {}", answer.status().as_u16()),
            Err(error) => log::debug!("K8S API [GET] {path} -> {error}"),
        }
    }
}

/// Reads a body as a whole.
pub(super) async fn collect(mut body: Body, most_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut whole = Vec::new();
    loop {
        let frame = timeout(ANSWER_TIMEOUT, body.frame()).await;
        let frame = match frame {
            Err(_) => return Err(ApiError::Timeout(ANSWER_TIMEOUT)),
            Ok(None) => return Ok(whole),
            Ok(Some(Err(error))) => return Err(ApiError::Broken(crate::error_chain(&error))),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > most_bytes {
                return Err(ApiError::TooLarge { most_bytes });
            }
            whole.extend_from_slice(&data);
        }
    }
}

async fn refusal(answer: Response<Body>, rule: &'static str) -> ApiError {
    let status = answer.status();
    let retry_after = retry_after(answer.headers());
    // What can't be read of the reason is not missed: the status says most.
    let body = collect(answer.into_body(), MOST_REFUSAL_BYTES).await;
    let message = message_of(&body.unwrap_or_default());
    refused(status.as_u16(), message, retry_after, rule)
}

/// What a status means, be it HTTP's or that of an event.
pub(super) fn refused(
    status: u16,
    message: String,
    retry_after: Option<Duration>,
    rule: &'static str,
) -> ApiError {
    match status {
        401 => ApiError::Unauthorized,
        403 => ApiError::Forbidden { rule, message },
        410 => ApiError::Gone,
        429 => ApiError::Throttled { retry_after },
        _ => ApiError::Status {
            status,
            message,
            retry_after,
        },
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// The message of a Status object, or the body's beginning.
fn message_of(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(body) {
        Ok(status) => ApiError::said(status.message.as_bytes()),
        Err(_) => ApiError::said(body),
    }
}

/// Text as part of a query or a path.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
