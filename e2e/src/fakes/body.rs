//! Bodies of answers: whole ones, and all the ways in which a body can be slow, endless or cut.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Interval, interval};

/// What a stream of events sends.
#[derive(Debug)]
pub(super) enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// The connection ends here, in the middle of the body.
    Cut,
}

/// How the bytes come.
#[derive(Debug)]
enum Source {
    /// With a length.
    Whole(Bytes),
    /// In one chunk.
    Chunk(Bytes),
    /// A few bytes each time.
    Drip(Bytes, Interval),
    /// The first once, the second over and over.
    Endless(Bytes, Bytes),
    /// These, and then the connection ends although more was promised.
    Cut(Bytes),
    /// These, and then nothing, for as long as the client waits.
    Stalled(Bytes),
    /// As they come.
    Events(UnboundedReceiver<Piece>),
    Over,
}

/// A body, with what has to live as long as it is under way.
#[derive(Debug)]
pub(super) struct Content {
    source: Source,
    held: Vec<Box<dyn Any + Send>>,
}

/// Bytes in each drop of a slow body.
const DROP_BYTES: usize = 16;

impl Content {
    fn of(source: Source) -> Self {
        Self {
            source,
            held: Vec::new(),
        }
    }

    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::of(Source::Whole(bytes.into()))
    }

    pub(super) fn chunked(bytes: impl Into<Bytes>) -> Self {
        Self::of(Source::Chunk(bytes.into()))
    }

    pub(super) fn drip(bytes: impl Into<Bytes>, every: Duration) -> Self {
        Self::of(Source::Drip(bytes.into(), interval(every)))
    }

    pub(super) fn endless(head: impl Into<Bytes>, block: impl Into<Bytes>) -> Self {
        Self::of(Source::Endless(head.into(), block.into()))
    }

    pub(super) fn cut(bytes: impl Into<Bytes>) -> Self {
        Self::of(Source::Cut(bytes.into()))
    }

    pub(super) fn stalled(bytes: impl Into<Bytes>) -> Self {
        Self::of(Source::Stalled(bytes.into()))
    }

    pub(super) fn events(events: UnboundedReceiver<Piece>) -> Self {
        Self::of(Source::Events(events))
    }

    /// Keeps something until the body is sent or given up.
    pub(super) fn holding(mut self, held: impl Any + Send) -> Self {
        self.held.push(Box::new(held));
        self
    }
}

type Next = Poll<Option<Result<Frame<Bytes>, io::Error>>>;

fn data(bytes: Bytes) -> Next {
    Poll::Ready(Some(Ok(Frame::data(bytes))))
}

fn broken() -> Next {
    let error = io::Error::new(io::ErrorKind::ConnectionReset, "a fault that was asked for");
    Poll::Ready(Some(Err(error)))
}

impl Source {
    fn poll(&mut self, context: &mut Context<'_>) -> Next {
        match self {
            Self::Whole(bytes) | Self::Chunk(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Over;
                data(bytes)
            }
            Self::Drip(bytes, _) if bytes.is_empty() => Poll::Ready(None),
            Self::Drip(bytes, interval) => {
                ready!(interval.poll_tick(context));
                data(bytes.split_to(DROP_BYTES.min(bytes.len())))
            }
            Self::Endless(head, block) if head.is_empty() => data(block.clone()),
            Self::Endless(head, _) => data(std::mem::take(head)),
            Self::Cut(bytes) if bytes.is_empty() => broken(),
            Self::Stalled(bytes) if bytes.is_empty() => Poll::Pending,
            Self::Cut(bytes) | Self::Stalled(bytes) => data(std::mem::take(bytes)),
            Self::Events(events) => match ready!(events.poll_recv(context)) {
                Some(Piece::Bytes(bytes)) => data(bytes),
                Some(Piece::Cut) => broken(),
                None => Poll::Ready(None),
            },
            Self::Over => Poll::Ready(None),
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Next {
        self.source.poll(context)
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.source, Source::Whole(bytes) if bytes.is_empty())
            || matches!(self.source, Source::Over)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
