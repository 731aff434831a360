//! The lines of a watch, as they come.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use tokio::time::timeout;

use super::error::ApiError;
use crate::error_chain;

/// No object in etcd is larger.
const MOST_LINE_BYTES: usize = 2 * 1_024 * 1_024;
/// What one large line took is given back.
const KEPT_BYTES: usize = 32 * 1_024;

/// A stream of lines.
pub(super) struct Lines {
    body: Body,
    silence: Duration,
    buffer: Vec<u8>,
    /// Up to here, the line was given out.
    given: usize,
    /// Up to here, there is no end of a line.
    searched: usize,
}

impl Lines {
    pub fn new(body: Body, silence: Duration) -> Self {
        Self {
            body,
            silence,
            buffer: Vec::new(),
            given: 0,
            searched: 0,
        }
    }

    /// The next line that is not empty; none at a proper end.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, ApiError> {
        loop {
            if let Some((begin, end)) = self.find() {
                return Ok(Some(&self.buffer[begin..end]));
            }
            if !self.receive().await? {
                return Ok(None);
            }
        }
    }

    fn find(&mut self) -> Option<(usize, usize)> {
        loop {
            let rest = self.buffer.get(self.searched..)?;
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return None;
            };
            let (begin, end) = (self.given, self.searched + length);
            self.given = end + 1;
            self.searched = self.given;
            if !self.buffer[begin..end].trim_ascii().is_empty() {
                return Some((begin, end));
            }
        }
    }

    async fn receive(&mut self) -> Result<bool, ApiError> {
        self.buffer.drain(..self.given);
        self.searched -= self.given;
        self.given = 0;
        if self.buffer.len() < KEPT_BYTES {
            self.buffer.shrink_to(KEPT_BYTES);
        }
        let frame = timeout(self.silence, self.body.frame()).await;
        let frame = match frame {
            Err(_) => return Err(ApiError::Timeout(self.silence)),
            Ok(None) if self.buffer.is_empty() => return Ok(false),
            Ok(None) => return Err(ApiError::Broken("it ends amid an event".into())),
            Ok(Some(Err(error))) => return Err(ApiError::Broken(error_chain(&error))),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(data) = frame.into_data() {
            self.buffer.extend_from_slice(&data);
        }
        let most_bytes = MOST_LINE_BYTES;
        if self.buffer.len() > most_bytes && self.find_end().is_none() {
            return Err(ApiError::TooLarge { most_bytes });
        }
        Ok(true)
    }

    fn find_end(&self) -> Option<usize> {
        let rest = self.buffer.get(self.searched..)?;
        rest.iter().position(|byte| *byte == b'\n')
    }
}
