//! Asks the kubelet. Every outcome becomes a state and a counter of the kubelet's health.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    credentials::{CredentialsError, WatchedFile, bearer},
    debug,
    summary::{Summary, SummaryError},
};
use crate::{
    health::Health,
    http::{self, Answer, Endpoint, HeaderName, HeaderValue, HttpError, Request, StatusCode, mask},
    kernel::sys,
};

/// Where a kubelet answers its own node.
pub const DEFAULT_ENDPOINT: &str = "https://127.0.0.1:10250/stats/summary";

const MOST_SHOWN_BYTES: usize = 200;

/// How to ask the kubelet.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the summary.
    pub endpoint: String,
    /// The name that its certificate is for; none for the endpoint's host.
    pub server_name: Option<String>,
    /// File with the service account's token. It is never sent without TLS.
    pub token_file: Option<PathBuf>,
    /// File with the CAs to believe.
    pub ca_file: Option<PathBuf>,
    /// Believe every certificate.
    pub insecure: bool,
    /// For an answer as a whole.
    pub timeout: Duration,
    /// Of an answer.
    pub max_body_bytes: usize,
    /// Log what is asked and answered.
    pub debug: bool,
}

/// What the kubelet told, and when.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it told.
    pub summary: Summary,
    /// When the answer was there, by the boot clock.
    pub taken_at_ns: u64,
    /// How long the kubelet took.
    pub round_trip: Duration,
    /// Length of the answer.
    pub bytes: usize,
}

/// A failed try, as its health tells it.
struct Failure {
    kind: &'static str,
    message: String,
}

/// The kubelet of this node.
pub struct Kubelet {
    client: http::Client,
    path: String,
    token_file: Option<WatchedFile>,
    ca_file: Option<WatchedFile>,
    authorization: Option<HeaderValue>,
    has_ca: bool,
    /// What is wrong with the files while their old content serves.
    trouble: Option<String>,
    is_debug: bool,
    had_oddities: bool,
    health: Health,
}

impl Kubelet {
    /// Nothing is read or asked before the first scrape.
    pub fn new(settings: Settings, health: Health) -> Result<Self, HttpError> {
        let endpoint = Endpoint::parse(&settings.endpoint)?;
        let is_https = endpoint.https;
        if settings.insecure && is_https {
            log::warn!(
                "the kubelet's certificate is NOT verified: whoever answers at {endpoint} gets \
                 the agent's token and is believed"
            );
        }
        let path = endpoint.path.clone();
        let client = http::Client::new(http::Settings {
            endpoint,
            server_name: settings.server_name,
            insecure: settings.insecure,
            connect_timeout: settings.timeout,
            total_timeout: settings.timeout,
            most_body_bytes: settings.max_body_bytes,
            debug: settings.debug,
        })?;
        let token_file = settings.token_file.filter(|_| is_https);
        let ca_file = settings.ca_file.filter(|_| is_https && !settings.insecure);
        Ok(Self {
            client,
            path,
            token_file: token_file.map(WatchedFile::token),
            ca_file: ca_file.map(WatchedFile::ca),
            authorization: None,
            has_ca: false,
            trouble: None,
            is_debug: settings.debug,
            had_oddities: false,
            health,
        })
    }

    /// Asks once. None is told to the health with its reason.
    pub async fn scrape(&mut self) -> Option<Sample> {
        match self.try_scrape().await {
            Ok(sample) => {
                self.health.works();
                self.tell_oddities(&sample.summary);
                if self.is_debug {
                    debug::log(&sample.summary);
                }
                Some(sample)
            }
            Err(failure) => {
                self.health.failed(failure.kind, failure.message);
                None
            }
        }
    }

    /// Once when they begin: a kubelet that has them will have them in each answer.
    fn tell_oddities(&mut self, summary: &Summary) {
        let has_oddities = summary.oddities > 0;
        if has_oddities && !self.had_oddities {
            let first = summary.first_oddity.as_deref().unwrap_or_default();
            let count = summary.oddities;
            self.health.noticed(
                "odd_values",
                &format!("{count} values of the summary can't be used, the first: {first}"),
            );
        }
        self.had_oddities = has_oddities;
    }

    async fn try_scrape(&mut self) -> Result<Sample, Failure> {
        self.refresh()?;
        let mut begin = Instant::now();
        let mut answer = self.ask().await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.token_file.is_some() {
            // It may have been replaced in a way that its stamp doesn't show.
            self.token_file.iter_mut().for_each(WatchedFile::forget);
            self.ca_file.iter_mut().for_each(WatchedFile::forget);
            self.refresh()?;
            begin = Instant::now();
            answer = self.ask().await?;
        }
        let round_trip = begin.elapsed();
        let taken_at_ns = sys::boot_ns();
        if answer.status != StatusCode::OK {
            return Err(self.refused(&answer));
        }
        Ok(Sample {
            summary: Summary::parse(&answer.body)?,
            taken_at_ns,
            round_trip,
            bytes: answer.body.len(),
        })
    }

    /// Reads the files that changed. While a new one is unusable the old content serves, as a
    /// rotation may be seen halfway.
    fn refresh(&mut self) -> Result<(), Failure> {
        let trouble = match (self.refresh_token(), self.refresh_ca()) {
            (Ok(()), Ok(())) => None,
            (Err(failure), _) if self.authorization.is_none() => return Err(failure),
            (_, Err(failure)) if !self.has_ca => return Err(failure),
            (Err(failure), _) | (_, Err(failure)) => Some(failure.message),
        };
        if let Some(trouble) = &trouble
            && self.trouble.as_ref() != Some(trouble)
        {
            log::warn!("kubelet: {trouble}; what was read before is used");
        }
        self.trouble = trouble;
        Ok(())
    }

    fn refresh_token(&mut self) -> Result<(), Failure> {
        let Some(file) = &mut self.token_file else {
            return Ok(());
        };
        if let Some(content) = file.read_if_changed()? {
            match bearer(file.path(), &content) {
                Ok(authorization) => self.authorization = Some(authorization),
                Err(error) => {
                    file.forget();
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    fn refresh_ca(&mut self) -> Result<(), Failure> {
        let Some(file) = &mut self.ca_file else {
            return Ok(());
        };
        if let Some(content) = file.read_if_changed()? {
            if let Err(error) = self.client.set_ca(&content) {
                file.forget();
                return Err(Failure {
                    kind: "credentials",
                    message: format!("{}: {error}", file.path().display()),
                });
            }
            self.has_ca = true;
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<Answer, Failure> {
        let mut request = Request::get(&self.path);
        if let Some(authorization) = &self.authorization {
            let name = HeaderName::from_static("authorization");
            request = request.header(name, authorization.clone());
        }
        Ok(self.client.send(request).await?)
    }

    fn refused(&self, answer: &Answer) -> Failure {
        let endpoint = self.client.endpoint();
        let says = mask::body(&answer.body, MOST_SHOWN_BYTES);
        let (kind, message) = match answer.status {
            StatusCode::UNAUTHORIZED => {
                let advice = match (&self.token_file, endpoint.https) {
                    (Some(file), _) => format!(
                        "the token of {} was refused: it must be this cluster's, and the kubelet \
                         must have authentication.webhook.enabled",
                        file.path().display()
                    ),
                    (None, true) => "no token file is set".to_owned(),
                    (None, false) => "a token is only sent with https".to_owned(),
                };
                ("unauthorized", format!("{endpoint} answers 401: {advice}"))
            }
            StatusCode::FORBIDDEN => (
                "forbidden",
                format!(
                    "{endpoint} answers 403: the agent's ClusterRole lacks the rule apiGroups: \
                     [\"\"], resources: [\"nodes/stats\"], verbs: [\"get\"]; it says: {says}"
                ),
            ),
            status => (
                "status",
                format!(
                    "{endpoint} answers {status}: {says}; is KUBELET_ENDPOINT the kubelet's \
                     /stats/summary?"
                ),
            ),
        };
        Failure { kind, message }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let advice = match &error {
            HttpError::Endpoint { .. } | HttpError::Connect { .. } | HttpError::Broken { .. } => "",
            HttpError::Timeout { .. } => "; the kubelet is overloaded or unreachable",
            HttpError::Tls { .. } => {
                "; a kubelet without serverTLSBootstrap signs its certificate itself"
            }
            HttpError::TooLarge { .. } => "; raise the limit if that is its true size",
        };
        Self {
            kind: error.kind(),
            message: format!("{error}{advice}"),
        }
    }
}

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        Self {
            kind: "credentials",
            message: error.to_string(),
        }
    }
}

impl From<SummaryError> for Failure {
    fn from(error: SummaryError) -> Self {
        let kind = match &error {
            SummaryError::TooLarge { .. } | SummaryError::TooManyPods { .. } => "too_large",
            SummaryError::NotJson { .. } | SummaryError::NotASummary { .. } => "json",
        };
        Self {
            kind,
            message: error.to_string(),
        }
    }
}
