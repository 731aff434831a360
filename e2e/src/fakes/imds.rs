//! The EC2 instance metadata service, as AWS documents it: tokens with a time to live, the paths of one
//! instance, and the ways in which it is blocked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};

use super::body::Content;
use super::faults::{Faults, Times};
use super::journal::Journal;
use super::locked;
use super::server::{Answers, Asked, Reply, Server};

/// Six hours.
const LONGEST_TOKEN_SECONDS: u64 = 21_600;
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const META_DATA: &str = "/latest/meta-data/";

/// Whether requests without a token are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpTokens {
    /// Both versions.
    Optional,
    /// Version 2 only.
    Required,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImdsFault {
    /// Nothing answers, as behind a network policy.
    Hang,
    /// Only the token's answer does not come: the hop limit of 1, seen from a container.
    TokenHangs,
    /// 403 to everything, as when the service is turned off.
    Forbidden,
    /// 404 to everything.
    NotFound,
    /// 405 for the token, as services have that know version 1 only.
    NoTokens,
    /// 500.
    InternalError,
    /// 503, as when it is asked too often.
    TooManyRequests,
    /// 200 and a page for people, as a proxy in the way answers.
    Html,
    /// 200 and a body that never ends.
    Endless,
    /// 200 and no bytes.
    Empty,
    /// 200 and bytes that are no text.
    Garbage,
    /// The connection is reset.
    Reset,
}

/// What the instance is.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The values under `/latest/meta-data/`.
    pub values: BTreeMap<String, String>,
}

impl Default for Instance {
    fn default() -> Self {
        let values = [
            ("ami-id", "ami-0abcdef1234567890"),
            ("hostname", "ip-10-0-2-15.eu-central-1.compute.internal"),
            ("instance-id", "i-1234567890abcdef0"),
            ("instance-life-cycle", "on-demand"),
            ("instance-type", "m5.large"),
            ("local-ipv4", "10.0.2.15"),
            ("placement/availability-zone", "eu-central-1a"),
            ("placement/availability-zone-id", "euc1-az2"),
            ("placement/region", "eu-central-1"),
            ("services/domain", "amazonaws.com"),
        ];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self {
            values: values.into(),
        }
    }
}

impl Instance {
    /// With another value, for example `instance-life-cycle` `spot`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.values.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Without one.
    pub fn without(mut self, key: &str) -> Self {
        self.values.remove(key);
        self
    }
}

/// The service; it ends when dropped.
pub struct Imds {
    server: Server,
    service: Arc<Service>,
}

struct Service {
    instance: Instance,
    tokens_required: HttpTokens,
    /// With the moment when each is over.
    tokens: Mutex<BTreeMap<String, Instant>>,
    faults: Faults<ImdsFault>,
}

impl Imds {
    /// Serves an instance's metadata at a free port.
    pub fn start(instance: Instance, tokens: HttpTokens) -> Result<Self> {
        let service = Arc::new(Service {
            instance,
            tokens_required: tokens,
            tokens: Mutex::default(),
            faults: Faults::new(),
        });
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(any, None, Arc::clone(&service))?;
        Ok(Self { server, service })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What stands for `http://169.254.169.254`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Misbehaves from the next request on.
    pub fn fail(&self, fault: ImdsFault, times: Times) {
        self.service.faults.add(fault, times);
    }

    /// Behaves again.
    pub fn heal(&self) {
        self.service.faults.clear();
    }

    /// Tokens that were given are refused from now on, as after their time to live.
    pub fn expire_tokens(&self) {
        locked(&self.service.tokens).clear();
    }

    /// What it was asked.
    pub fn journal(&self) -> &Journal {
        &self.server.journal
    }
}

impl Answers for Service {
    fn answer(&self, asked: &Asked) -> Reply {
        let is_token = asked.uri.path() == "/latest/api/token";
        let fault = self.faults.take(|fault| {
            is_token || !matches!(fault, ImdsFault::TokenHangs | ImdsFault::NoTokens)
        });
        match fault.map(wrong) {
            Some(reply) => reply,
            None if is_token => Reply::Answer(self.token(asked)),
            None => Reply::Answer(self.value(asked)),
        }
    }
}

impl Service {
    fn token(&self, asked: &Asked) -> Response<Content> {
        if asked.method != Method::PUT {
            return refused(StatusCode::METHOD_NOT_ALLOWED);
        }
        // A proxy in front of the service is not to get tokens.
        if asked.header("x-forwarded-for").is_some() {
            return refused(StatusCode::FORBIDDEN);
        }
        let seconds = asked.header(TTL).and_then(|text| text.parse().ok());
        let Some(seconds) = seconds.filter(|seconds| (1..=LONGEST_TOKEN_SECONDS).contains(seconds))
        else {
            return refused(StatusCode::BAD_REQUEST);
        };
        let mut tokens = locked(&self.tokens);
        let number = tokens.len();
        let token = format!("AQAEAsecret-of-the-instance-number-{number:016}-AAAAAA==");
        tokens.insert(token.clone(), Instant::now() + Duration::from_secs(seconds));
        let mut response = answer(StatusCode::OK, "text/plain", Content::whole(token));
        response
            .headers_mut()
            .insert(TTL, HeaderValue::from(seconds));
        response
    }

    fn value(&self, asked: &Asked) -> Response<Content> {
        let allowed = match asked.header(TOKEN) {
            // A wrong token is wrong for version 1 too.
            Some(token) => locked(&self.tokens)
                .get(token)
                .is_some_and(|end| Instant::now() < *end),
            None => self.tokens_required == HttpTokens::Optional,
        };
        if !allowed {
            return refused(StatusCode::UNAUTHORIZED);
        }
        if asked.method != Method::GET {
            return refused(StatusCode::METHOD_NOT_ALLOWED);
        }
        let path = asked.uri.path();
        let text = match path.strip_prefix(META_DATA) {
            Some(key) => self
                .instance
                .values
                .get(key)
                .cloned()
                .or_else(|| self.listing(key)),
            None if path == "/latest/dynamic/instance-identity/document" => Some(self.document()),
            None => None,
        };
        match text {
            Some(text) => answer(StatusCode::OK, "text/plain", Content::whole(text)),
            None => refused(StatusCode::NOT_FOUND),
        }
    }

    /// The names in a folder, one on each line; folders end with a slash.
    fn listing(&self, folder: &str) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        for key in self.instance.values.keys() {
            let Some(rest) = key.strip_prefix(folder) else {
                continue;
            };
            let name = match rest.trim_start_matches('/').split_once('/') {
                Some((name, _)) => format!("{name}/"),
                None => rest.trim_start_matches('/').to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let is_folder = folder.is_empty() || folder.ends_with('/') || self.has_folder(folder);
        (is_folder && !names.is_empty()).then(|| names.join("\n"))
    }

    fn has_folder(&self, name: &str) -> bool {
        let prefix = format!("{name}/");
        self.instance
            .values
            .keys()
            .any(|key| key.starts_with(&prefix))
    }

    fn document(&self) -> String {
        let value = |key: &str| self.instance.values.get(key).cloned();
        let document = serde_json::json!({
            "accountId": "123456789012",
            "architecture": "x86_64",
            "availabilityZone": value("placement/availability-zone"),
            "imageId": value("ami-id"),
            "instanceId": value("instance-id"),
            "instanceType": value("instance-type"),
            "pendingTime": "2026-11-21T00:28:01Z",
            "privateIp": value("local-ipv4"),
            "region": value("placement/region"),
            "version": "2017-09-30"
        });
        format!("{document:#}")
    }
}

fn wrong(fault: ImdsFault) -> Reply {
    let plain = |content| answer(StatusCode::OK, "text/plain", content);
    Reply::Answer(match fault {
        ImdsFault::Hang | ImdsFault::TokenHangs => return Reply::Hang,
        ImdsFault::Reset => return Reply::Reset,
        ImdsFault::Forbidden => refused(StatusCode::FORBIDDEN),
        ImdsFault::NotFound => refused(StatusCode::NOT_FOUND),
        ImdsFault::NoTokens => refused(StatusCode::METHOD_NOT_ALLOWED),
        ImdsFault::InternalError => refused(StatusCode::INTERNAL_SERVER_ERROR),
        ImdsFault::TooManyRequests => refused(StatusCode::SERVICE_UNAVAILABLE),
        ImdsFault::Html => {
            let page = "<!DOCTYPE html>\n<html><body>Please sign in.</body></html>\n";
            answer(StatusCode::OK, "text/html", Content::whole(page))
        }
        ImdsFault::Endless => plain(Content::endless("i-", vec![b'0'; 1 << 16])),
        ImdsFault::Empty => plain(Content::whole("")),
        ImdsFault::Garbage => plain(Content::whole(vec![0xff, 0x00, 0x1b, 0xfe, b'\n', 0x80])),
    })
}

fn answer(status: StatusCode, content_type: &'static str, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    headers.insert("server", HeaderValue::from_static("EC2ws"));
    headers.insert("connection", HeaderValue::from_static("close"));
    response
}

/// The page that it answers with whenever it refuses.
fn refused(status: StatusCode) -> Response<Content> {
    let (code, reason) = (
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
    );
    let page = format!(
        r#"<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{code} - {reason}</title>
 </head>
 <body>
  <h1>{code} - {reason}</h1>
 </body>
</html>
"#
    );
    answer(status, "text/html", Content::whole(page))
}
