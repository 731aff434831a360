//! Asks the service: with a session token (`IMDSv2`), or plainly (`IMDSv1`) where no token is to be had.

use std::time::{Duration, Instant};

use super::{
    Field, FieldError, Instance, parse_field,
    token::{TOKEN_HEADER, TTL_HEADER, Token, ttl_seconds},
};
use crate::http::{
    self, Answer, Endpoint, HeaderName, HeaderValue, HttpError, Request, StatusCode,
};

/// Where the service answers every instance.
pub const DEFAULT_ENDPOINT: &str = "http://169.254.169.254";
/// Six hours, the longest there is.
pub const DEFAULT_TOKEN_TTL: Duration = Duration::from_secs(21_600);

const MOST_BODY_BYTES: usize = 4 * 1_024;

/// How to ask the service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its address.
    pub endpoint: String,
    /// How long a session token shall serve.
    pub token_ttl: Duration,
    /// Ask without tokens.
    pub force_v1: bool,
    /// For each request.
    pub timeout: Duration,
    /// Log what is asked and answered.
    pub debug: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            token_ttl: DEFAULT_TOKEN_TTL,
            force_v1: false,
            timeout: Duration::from_secs(2),
            debug: false,
        }
    }
}

/// Why the instance is not known.
#[derive(Debug, thiserror::Error)]
pub enum ImdsError {
    /// No answer.
    #[error("{0}; is IMDS reachable from here? This needs the host's network or a hop limit of 2")]
    Http(#[from] HttpError),
    /// An answer that is a refusal.
    #[error("{endpoint} answers {status} for {path}; is IMDS switched off for this instance?")]
    Status {
        /// Who answered.
        endpoint: String,
        /// What was asked for.
        path: String,
        /// The answer.
        status: StatusCode,
    },
    /// No token was to be had, and without one nothing is.
    #[error(
        "{endpoint} demands a token (401), but {reason}; on a pod network raise the instance's \
         hop limit to 2"
    )]
    Unauthorized {
        /// Who answered.
        endpoint: String,
        /// What is wrong with the token.
        reason: String,
    },
    /// An answer of something else.
    #[error("{endpoint}: {source}")]
    Field {
        /// Who answered.
        endpoint: String,
        /// What was answered.
        source: FieldError,
    },
    /// No answer for the id.
    #[error("{endpoint} knows no instance-id; is this an EC2 instance?")]
    NoInstanceId {
        /// Who answered.
        endpoint: String,
    },
}

impl ImdsError {
    /// For counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(error) => error.kind(),
            Self::Status { .. } => "status",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Field { .. } => "answer",
            Self::NoInstanceId { .. } => "no_instance_id",
        }
    }
}

/// What the service told.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The instance; its id is known.
    pub instance: Instance,
    /// The first field whose answer was none, apart from the id.
    pub refused: Option<FieldError>,
}

/// The service.
pub struct Imds {
    client: http::Client,
    prefix: String,
    ttl_seconds: u64,
    force_v1: bool,
    token: Option<Token>,
    /// Why there is no token.
    no_token: Option<String>,
}

impl Imds {
    /// Nothing is asked yet.
    pub fn new(settings: &Settings) -> Result<Self, HttpError> {
        let endpoint = Endpoint::parse(&settings.endpoint)?;
        let path = endpoint.path.split('?').next().unwrap_or_default();
        Ok(Self {
            prefix: path.trim_end_matches('/').to_owned(),
            client: http::Client::new(http::Settings {
                endpoint,
                server_name: None,
                insecure: false,
                connect_timeout: settings.timeout,
                total_timeout: settings.timeout,
                most_body_bytes: MOST_BODY_BYTES,
                debug: settings.debug,
            })?,
            ttl_seconds: ttl_seconds(settings.token_ttl),
            force_v1: settings.force_v1,
            token: None,
            no_token: None,
        })
    }

    /// Asks for everything once. The first request without an answer ends it: the others would
    /// only wait as long.
    pub async fn fetch(&mut self) -> Result<Fetched, ImdsError> {
        self.need_token().await?;
        let mut instance = Instance::default();
        let mut refused = None;
        for field in Field::ALL {
            let Some(answer) = self.field(field).await? else {
                if field == Field::InstanceId {
                    let endpoint = self.client.endpoint().to_string();
                    return Err(ImdsError::NoInstanceId { endpoint });
                }
                continue;
            };
            match parse_field(field, &answer.body) {
                Ok(text) => set(&mut instance, field, text),
                Err(source) if field == Field::InstanceId => {
                    let endpoint = self.client.endpoint().to_string();
                    return Err(ImdsError::Field { endpoint, source });
                }
                Err(source) => {
                    refused.get_or_insert(source);
                }
            }
        }
        Ok(Fetched { instance, refused })
    }

    /// None if the service has no such field.
    async fn field(&mut self, field: Field) -> Result<Option<Answer>, ImdsError> {
        let path = format!("{}/latest/meta-data/{}", self.prefix, field.name());
        let mut answer = self.ask(&path).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.token.take().is_some() {
            self.need_token().await?;
            answer = self.ask(&path).await?;
        }
        let endpoint = || self.client.endpoint().to_string();
        match answer.status {
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(ImdsError::Unauthorized {
                endpoint: endpoint(),
                reason: self.why_unauthorized(),
            }),
            status => Err(ImdsError::Status {
                endpoint: endpoint(),
                path,
                status,
            }),
        }
    }

    fn why_unauthorized(&self) -> String {
        match (&self.no_token, self.force_v1) {
            (_, true) => "FORCE_IMDSV1 forbids tokens".to_owned(),
            (Some(reason), _) => reason.clone(),
            (None, _) => "refuses the one that it gave".to_owned(),
        }
    }

    async fn ask(&mut self, path: &str) -> Result<Answer, HttpError> {
        let mut request = Request::get(path);
        if let Some(token) = &self.token {
            request = request.header(HeaderName::from_static(TOKEN_HEADER), token.value.clone());
        }
        self.client.send(request).await
    }

    /// Sees to a token, if one can be had. An error is one that plain requests would meet, too.
    async fn need_token(&mut self) -> Result<(), HttpError> {
        let has_token = self
            .token
            .as_ref()
            .is_some_and(|token| token.serves(Instant::now()));
        if self.force_v1 || has_token {
            return Ok(());
        }
        self.token = None;
        let path = format!("{}/latest/api/token", self.prefix);
        let ttl = HeaderValue::from(self.ttl_seconds);
        let request = Request::put(&path)
            .header(HeaderName::from_static(TTL_HEADER), ttl)
            .secret_answer();
        let reason = match self.client.send(request).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                self.token = Token::of(&answer, self.ttl_seconds, Instant::now());
                "the answer to the request for one is no token".to_owned()
            }
            Ok(answer) => format!("the request for one is answered {}", answer.status),
            Err(error @ (HttpError::Connect { .. } | HttpError::Endpoint { .. })) => {
                return Err(error);
            }
            Err(error) => format!("the request for one failed: {error}"),
        };
        let reason = self.token.is_none().then_some(reason);
        if let Some(reason) = &reason
            && self.no_token.is_none()
        {
            log::info!("IMDSv2 gives no token, falling back to IMDSv1: {reason}");
        }
        self.no_token = reason;
        Ok(())
    }
}

fn set(instance: &mut Instance, field: Field, text: String) {
    let place = match field {
        Field::InstanceId => &mut instance.instance_id,
        Field::InstanceType => &mut instance.instance_type,
        Field::Zone => &mut instance.zone,
        Field::ZoneId => &mut instance.zone_id,
        Field::Region => &mut instance.region,
        // Capacity that was bought ahead is neither.
        Field::LifeCycle if !matches!(text.as_str(), "spot" | "on-demand") => return,
        Field::LifeCycle => &mut instance.capacity_type,
    };
    *place = Some(text);
}
