//! HTTP/1.1 over TLS.

use std::net::SocketAddr;

use super::{
    Settings,
    exchange::{Answered, Failure, Post, retry_after},
};
use crate::http::{self, Client, HeaderName, HeaderValue, HttpError, Request};

/// See the module.
pub(super) struct Http1 {
    client: Client,
    path: String,
}

impl Http1 {
    pub fn new(settings: &Settings) -> Result<Self, HttpError> {
        let client = Client::new(http::Settings {
            endpoint: settings.endpoint.clone(),
            server_name: settings.server_name.clone(),
            insecure: settings.insecure,
            connect_timeout: settings.limits.connect_timeout,
            total_timeout: settings.limits.timeout,
            most_body_bytes: settings.limits.most_answer_bytes,
            // Bodies are no text.
            debug: false,
        })?;
        Ok(Self {
            client,
            path: settings.path(),
        })
    }

    /// Believes these CAs from now on.
    pub fn set_ca(&mut self, ca_pem: &[u8]) -> Result<(), HttpError> {
        self.client.set_ca(ca_pem)
    }

    /// Connects to this address from now on.
    pub fn go_to(&mut self, address: SocketAddr) {
        self.client.connect_to(address);
    }

    /// Ends the connection, if there is one.
    pub fn forget(&mut self) {
        self.client.disconnect();
    }

    /// Sends a message and waits for the whole answer.
    pub async fn post(&mut self, post: Post) -> Result<Answered, Failure> {
        let content_type = HeaderValue::from_static(protocol::exchange::CONTENT_TYPE);
        // A batch that comes twice is taken once.
        let mut request = Request::post(&self.path, post.body)
            .repeatable()
            .header(HeaderName::from_static("content-type"), content_type);
        if let Some(token) = post.authorization {
            request = request.header(HeaderName::from_static("authorization"), token);
        }
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|error| match error {
            HttpError::TooLarge { .. } => Failure::on_any_way(error),
            _ => Failure::of_the_way(error),
        })?;
        Ok(Answered {
            status: answer.status.as_u16(),
            retry_after: retry_after(&answer.headers),
            body: answer.body,
        })
    }
}
