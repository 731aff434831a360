//! An answer whose header has come.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{Api, ApiError, Lines, connect::Sender};

/// Longer waits than this are not obeyed.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// See the module.
pub(crate) struct Answer<'a> {
    pub(crate) status: StatusCode,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
    body: Pieces<'a>,
}

/// The body, and the connection that goes back when it has ended, if any does.
pub(super) struct Pieces<'a> {
    api: &'a Api,
    sender: Option<Sender>,
    body: Incoming,
}

impl Pieces<'_> {
    /// The next bytes; none at a proper end.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Option<Bytes>, ApiError> {
        loop {
            match timeout(patience, self.body.frame()).await {
                Err(_) => return Err(ApiError::Time(patience)),
                Ok(Some(Err(error))) => return Err(ApiError::Cut(error)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(None) => {
                    if let Some(sender) = self.sender.take() {
                        self.api.keep(sender);
                    }
                    return Ok(None);
                }
            }
        }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn new(api: &'a Api, sender: Sender, response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let seconds = parts.headers.get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self {
            status: parts.status,
            retry_after: seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)),
            body: Pieces {
                api,
                sender: Some(sender),
                body,
            },
        }
    }

    /// The whole body, of at most `most` bytes; `patience` is for each piece of it.
    pub(crate) async fn whole(
        mut self,
        most: usize,
        patience: Duration,
    ) -> Result<Vec<u8>, ApiError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.body.next(patience).await? {
            if whole.len() + piece.len() > most {
                return Err(ApiError::TooLarge(most));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// Its lines, as they come. The next watch has a new connection: where a load balancer sends it
    /// may be another server by then.
    pub(crate) fn lines(mut self) -> Lines<'a> {
        let connection = self.body.sender.take();
        Lines::new(self.body, connection)
    }
}
