//! Both ways with what they share: the CAs, the token, and the files that these come from.

use std::{io, net::SocketAddr, path::Path};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{
    Settings, ShipError, Way,
    exchange::{Answered, Failure, Post},
    http1::Http1,
    http3::{Connection, Http3, Target},
    trust::Trust,
};
use crate::http::{HeaderValue, HttpError, secret_file};

/// See the module.
pub(super) struct Link {
    settings: Settings,
    http1: Http1,
    http3: Http3,
    /// None before it is told where to go.
    address: Option<SocketAddr>,
    trust: Option<Trust>,
    ca_pem: Vec<u8>,
    /// What is wrong with the CA bundle while its old content serves.
    trouble: Option<ShipError>,
    /// What was told of it last; told again only when it is another, or came back.
    told: Option<String>,
}

impl Link {
    /// Nothing is read or connected yet.
    pub fn new(settings: Settings) -> Result<Self, HttpError> {
        Ok(Self {
            http1: Http1::new(&settings)?,
            http3: Http3::default(),
            address: settings.address(),
            trust: None,
            ca_pem: Vec::new(),
            trouble: None,
            told: None,
            settings,
        })
    }

    /// Whom it talks to.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Talks to this address of the host from now on.
    pub fn go_to(&mut self, address: SocketAddr) {
        self.http1.go_to(address);
        self.http3.forget();
        self.address = Some(address);
    }

    /// Sends a message and waits for the whole answer.
    pub async fn post(&mut self, way: Way, body: Bytes) -> Result<Answered, Failure> {
        let target = self.target().map_err(Failure::on_any_way)?;
        let authorization = bearer(&self.settings.token_file).map_err(Failure::on_any_way)?;
        let post = Post {
            body,
            authorization,
        };
        match way {
            Way::Http1 => self.http1.post(post).await,
            Way::Http3 => self.http3.post(&target, &post).await,
        }
    }

    /// Tries to connect by HTTP/3 in the background.
    pub fn probe(&mut self) -> Result<JoinHandle<Result<Connection, ShipError>>, ShipError> {
        let target = self.target()?;
        Ok(tokio::spawn(async move { Connection::open(&target).await }))
    }

    /// Uses the connection of a probe from now on.
    pub fn adopt(&mut self, connection: Connection) {
        self.http1.forget();
        self.http3.adopt(connection);
    }

    /// What is wrong with the CA bundle while its old content serves; told once.
    pub fn trouble(&mut self) -> Option<ShipError> {
        self.trouble.take()
    }

    /// Ends what is open.
    pub async fn farewell(&mut self) {
        self.http3.farewell().await;
    }

    /// Whom to connect to.
    fn target(&mut self) -> Result<Target, ShipError> {
        let trust = self.trust()?;
        let endpoint = &self.settings.endpoint;
        let unknown = || HttpError::Connect {
            endpoint: endpoint.to_string(),
            reason: "its host was not looked up yet".to_owned(),
        };
        Ok(Target {
            address: self.address.ok_or_else(unknown)?,
            settings: self.settings.clone(),
            trust,
        })
    }

    /// Whom to believe, with what the CA bundle holds now.
    fn trust(&mut self) -> Result<Trust, ShipError> {
        let result = if self.settings.insecure {
            self.believe(None)
        } else {
            let path = &self.settings.ca_file;
            match secret_file::read(path, secret_file::MOST_CA_BYTES) {
                Ok(pem) => self.believe(Some(pem)),
                Err(error) => Err(error.to_string()),
            }
        };
        let reason = match result {
            Ok(trust) => {
                self.told = None;
                return Ok(trust);
            }
            Err(reason) => reason,
        };
        let is_news = self.told.as_ref() != Some(&reason);
        let error = ShipError::Ca {
            path: self.settings.ca_file.clone(),
            reason: reason.clone(),
        };
        // It may be half written: the next look sees the whole.
        match &self.trust {
            Some(trust) => {
                self.trouble = is_news.then_some(error);
                self.told = Some(reason);
                Ok(trust.clone())
            }
            None => Err(error),
        }
    }

    /// What it knows already changes nothing. Others end the connections: they were made by the former.
    fn believe(&mut self, ca_pem: Option<Vec<u8>>) -> Result<Trust, String> {
        let ca_pem_bytes = ca_pem.as_deref().unwrap_or_default();
        if let Some(trust) = self.trust.as_ref().filter(|_| self.ca_pem == ca_pem_bytes) {
            return Ok(trust.clone());
        }
        let trust = Trust::new(ca_pem.as_deref())?;
        if let Some(pem) = ca_pem {
            self.http1.set_ca(&pem).map_err(|error| error.to_string())?;
            self.ca_pem = pem;
        }
        self.http3.forget();
        self.trust = Some(trust.clone());
        Ok(trust)
    }
}

/// The header that shows the token which the file holds now; none where there is no file.
fn bearer(path: &Path) -> Result<Option<HeaderValue>, ShipError> {
    let bad = |reason: String| ShipError::Token {
        path: path.to_owned(),
        reason,
    };
    let content = match secret_file::read(path, secret_file::MOST_TOKEN_BYTES) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    let token = secret_file::token(&content).map_err(|reason| bad(reason.to_owned()))?;
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat())
        .map_err(|_| bad("it can't be a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
