//! The lines of a watch, as they come: one is held at a time.

use std::time::Duration;

use super::{ApiError, answer::Pieces, connect::Sender};

/// An object in etcd has 1.5 MiB at most; as JSON it may be somewhat larger.
pub(crate) const MOST_LINE_BYTES: usize = 4 << 20;
/// What one large line took is given back.
const KEPT_BYTES: usize = 64 << 10;

/// What comes next.
pub(crate) enum Line<'a> {
    /// A line that is not empty.
    Text(&'a [u8]),
    /// A line that was too long and is left out.
    TooLong,
}

/// See the module.
pub(crate) struct Lines<'a> {
    body: Pieces<'a>,
    /// Ends with this.
    _connection: Option<Sender>,
    buffer: Vec<u8>,
    /// Up to here, the line was given out.
    given: usize,
    /// Up to here, there is no end of a line.
    searched: usize,
    /// What comes up to the end of the line is left out.
    is_skipping: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(body: Pieces<'a>, connection: Option<Sender>) -> Self {
        Self {
            body,
            _connection: connection,
            buffer: Vec::new(),
            given: 0,
            searched: 0,
            is_skipping: false,
        }
    }

    /// The next line; none at a proper end. Silence may last as long as `patience`.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Option<Line<'_>>, ApiError> {
        loop {
            while let Some((begin, end)) = self.find() {
                if std::mem::take(&mut self.is_skipping) || end - begin > MOST_LINE_BYTES {
                    return Ok(Some(Line::TooLong));
                }
                if !self.buffer[begin..end].trim_ascii().is_empty() {
                    return Ok(Some(Line::Text(&self.buffer[begin..end])));
                }
            }
            if !self.receive(patience).await? {
                return Ok(None);
            }
        }
    }

    /// The line that has come to its end.
    fn find(&mut self) -> Option<(usize, usize)> {
        let rest = &self.buffer[self.searched..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let (begin, end) = (self.given, self.searched + length);
        self.given = end + 1;
        self.searched = self.given;
        Some((begin, end))
    }

    /// Only while no whole line is held.
    async fn receive(&mut self, patience: Duration) -> Result<bool, ApiError> {
        self.buffer.drain(..self.given);
        if self.is_skipping || self.buffer.len() > MOST_LINE_BYTES {
            self.is_skipping = true;
            self.buffer.clear();
        }
        (self.given, self.searched) = (0, self.buffer.len());
        if self.buffer.len() < KEPT_BYTES {
            self.buffer.shrink_to(KEPT_BYTES);
        }
        match self.body.next(patience).await? {
            Some(data) => {
                self.buffer.extend_from_slice(&data);
                Ok(true)
            }
            None if self.buffer.is_empty() && !self.is_skipping => Ok(false),
            None => Err(ApiError::Unfinished),
        }
    }
}
