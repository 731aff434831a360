//! HTTP/3: one connection, kept, opened anew when it is gone.

mod connect;
mod silence;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::{Buf as _, Bytes};
use h3::error::StreamError;
use tokio::{task::JoinHandle, time::timeout};

use super::{
    Settings, ShipError,
    exchange::{Answered, Failure, Post, retry_after},
    trust::Trust,
};
use crate::http::{Endpoint, HttpError, mask};

/// Time that a farewell may take.
const FAREWELL: Duration = Duration::from_millis(50);

/// Where to connect to, and how. What a probe takes along.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub settings: Settings,
    /// Of the endpoint's host.
    pub address: SocketAddr,
    pub trust: Trust,
}

impl Target {
    fn endpoint(&self) -> &Endpoint {
        &self.settings.endpoint
    }

    fn silent(&self) -> ShipError {
        ShipError::Silent {
            endpoint: self.endpoint().to_string(),
            after: self.settings.limits.patience,
        }
    }

    fn broken(&self, reason: &str) -> ShipError {
        ShipError::Http(HttpError::Broken {
            endpoint: self.endpoint().to_string(),
            reason: mask::body(reason.as_bytes(), 300),
        })
    }
}

/// A connection that HTTP/3 is spoken on.
pub(super) struct Connection {
    endpoint: quinn::Endpoint,
    quic: quinn::Connection,
    sender: h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
        self.quic.close(quinn::VarInt::from_u32(0x100), b"");
    }
}

impl Connection {
    /// Opens one.
    pub async fn open(target: &Target) -> Result<Self, ShipError> {
        connect::connect(target).await
    }

    fn is_gone(&self) -> bool {
        self.quic.close_reason().is_some()
    }

    async fn post(&mut self, target: &Target, post: &Post) -> Result<Answered, Unanswered> {
        let limits = target.settings.limits;
        let quic = self.quic.clone();
        let exchange = timeout(limits.timeout, self.exchange(target, post));
        tokio::select! {
            result = exchange => result.unwrap_or_else(|_| Err(Unanswered::Late)),
            () = silence::lasts(&quic, limits.patience) => Err(Unanswered::Silent),
        }
    }

    async fn exchange(&mut self, target: &Target, post: &Post) -> Result<Answered, Unanswered> {
        let request = request(&target.settings, post).map_err(Unanswered::Request)?;
        let stream = self.sender.send_request(request).await?;
        let (mut up, mut down) = stream.split();
        let body = post.body.clone();
        let upload = async move {
            // Who refuses early need not read all of it: the answer tells, and this one ends with it.
            let _told_by_the_answer = match up.send_data(body).await {
                Ok(()) => up.finish().await,
                Err(error) => Err(error),
            };
            std::future::pending::<Infallible>().await
        };
        let most_bytes = target.settings.limits.most_answer_bytes;
        let download = async {
            let head = down.recv_response().await?;
            let mut body = Vec::new();
            while let Some(mut chunk) = down.recv_data().await? {
                if body.len() + chunk.remaining() > most_bytes {
                    // Dropped, the stream tells the other side. To be told to stop it must not be reading,
                    // and h3 may have begun the next read already: h3-quinn panics there.
                    return Err(Unanswered::TooLarge);
                }
                body.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
            }
            Ok(Answered {
                status: head.status().as_u16(),
                retry_after: retry_after(head.headers()),
                body,
            })
        };
        tokio::select! {
            never = upload => match never {},
            answer = download => answer,
        }
    }
}

/// Why an exchange on a connection came to nothing.
enum Unanswered {
    Request(http::Error),
    Stream(StreamError),
    Silent,
    Late,
    TooLarge,
}

impl From<StreamError> for Unanswered {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl Unanswered {
    fn into_failure(self, target: &Target) -> Failure {
        let endpoint = target.endpoint().to_string();
        let limits = target.settings.limits;
        match self {
            Self::Silent => Failure::of_the_way(target.silent()),
            Self::Stream(error) => Failure::of_the_way(target.broken(&error.to_string())),
            Self::Request(error) => Failure::on_any_way(target.broken(&error.to_string())),
            // Its packets come: it is busy, and is so on the other way, too.
            Self::Late => Failure::on_any_way(HttpError::Timeout {
                endpoint,
                what: "the answer",
                after: limits.timeout,
            }),
            Self::TooLarge => Failure::on_any_way(HttpError::TooLarge {
                endpoint,
                most_bytes: limits.most_answer_bytes,
            }),
        }
    }
}

fn request(settings: &Settings, post: &Post) -> Result<http::Request<()>, http::Error> {
    let uri = format!(
        "https://{}{}",
        settings.endpoint.authority(),
        settings.path()
    );
    let mut request = http::Request::post(uri)
        .header("content-type", protocol::exchange::CONTENT_TYPE)
        .header("content-length", post.body.len())
        .header(
            "user-agent",
            concat!("podledger-agent/", env!("CARGO_PKG_VERSION")),
        );
    if let Some(token) = &post.authorization {
        request = request.header("authorization", token);
    }
    request.body(())
}

/// See the module.
#[derive(Default)]
pub(super) struct Http3 {
    kept: Option<Connection>,
}

impl Http3 {
    /// Sends a message and waits for the whole answer.
    pub async fn post(&mut self, target: &Target, post: &Post) -> Result<Answered, Failure> {
        if let Some(mut kept) = self.kept.take().filter(|kept| !kept.is_gone()) {
            match kept.post(target, post).await {
                Err(Unanswered::Stream(StreamError::RemoteClosing { .. })) => {}
                // It was ended by the other side, maybe long ago: a new one may work.
                Err(Unanswered::Stream(_)) if kept.is_gone() => {}
                result => return self.keep(kept, result, target),
            }
        }
        let mut fresh = Connection::open(target)
            .await
            .map_err(Failure::of_the_way)?;
        let result = fresh.post(target, post).await;
        self.keep(fresh, result, target)
    }

    /// Uses this connection from now on.
    pub fn adopt(&mut self, connection: Connection) {
        self.kept = Some(connection);
    }

    /// Ends the connection, if there is one.
    pub fn forget(&mut self) {
        self.kept = None;
    }

    /// Ends the connection and waits for a moment, so that the other side gets to know it.
    pub async fn farewell(&mut self) {
        if let Some(kept) = self.kept.take() {
            let endpoint = kept.endpoint.clone();
            drop(kept);
            // It is a courtesy: the other side would find out by itself.
            let _told_or_not = timeout(FAREWELL, endpoint.wait_idle()).await;
        }
    }

    fn keep(
        &mut self,
        connection: Connection,
        result: Result<Answered, Unanswered>,
        target: &Target,
    ) -> Result<Answered, Failure> {
        // One that a packet came through lately is good, whatever came of the request.
        let is_good = matches!(result, Ok(_) | Err(Unanswered::Late | Unanswered::TooLarge));
        if is_good {
            self.kept = Some(connection);
        }
        result.map_err(|unanswered| unanswered.into_failure(target))
    }
}
