//! Watches the time of one TCP connection: silence, a request header that does not come to its end,
//! and answers that nobody reads. Bodies have their own time, in the router.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::Limits;
use crate::status::Closed;

/// See the module.
#[derive(Debug)]
pub(super) struct Pulse {
    limits: Limits,
    /// Bytes outside a request are the beginning of one: so in HTTP/1.1, not in HTTP/2, which also
    /// has frames that belong to none.
    bytes_begin: bool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    requests: usize,
    quiet_since: Instant,
    arriving_since: Option<Instant>,
    writing_since: Option<Instant>,
}

impl Pulse {
    /// Of a connection that should now send its first request.
    pub(super) fn new(limits: Limits, bytes_begin: bool) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            limits,
            bytes_begin,
            state: Mutex::new(State {
                requests: 0,
                quiet_since: now,
                arriving_since: Some(now),
                writing_since: None,
            }),
            changed: Notify::new(),
        })
    }

    /// A request's header is here; it lasts until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Beat {
        let mut state = self.state();
        state.requests += 1;
        state.arriving_since = None;
        Beat(Arc::clone(self))
    }

    /// Returns when the connection's time is over, and why.
    pub(super) async fn over(&self) -> Closed {
        loop {
            let changed = self.changed.notified();
            let (deadline, why) = self.deadline();
            let Some(deadline) = deadline else {
                changed.await;
                continue;
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(deadline) => {
                    // It may have moved on since.
                    let (now, _) = self.deadline();
                    if now.is_some_and(|now| now <= deadline) {
                        return why;
                    }
                }
            }
        }
    }

    fn deadline(&self) -> (Option<Instant>, Closed) {
        let state = self.state();
        let limits = &self.limits;
        let unread = state.writing_since.map(|since| since + limits.write_time);
        if let Some(unread) = unread {
            return (Some(unread), Closed::Unread);
        }
        if let Some(since) = state.arriving_since {
            return (Some(since + limits.header_time), Closed::TooSlow);
        }
        let idle = (state.requests == 0).then(|| state.quiet_since + limits.idle_time);
        (idle, Closed::Idle)
    }

    fn heard(&self) {
        let mut state = self.state();
        if self.bytes_begin && state.requests == 0 && state.arriving_since.is_none() {
            state.arriving_since = Some(Instant::now());
            self.changed.notify_one();
        }
    }

    fn wrote(&self, is_pending: bool) {
        let mut state = self.state();
        if is_pending != state.writing_since.is_some() {
            state.writing_since = is_pending.then(Instant::now);
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Beat(Arc<Pulse>);

impl Drop for Beat {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests = state.requests.saturating_sub(1);
        state.quiet_since = Instant::now();
        self.0.changed.notify_one();
    }
}

/// A stream whose pulse is felt.
pub(super) struct Felt<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S> Felt<S> {
    pub(super) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Felt<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pulse.heard();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Felt<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pulse.wrote(polled.is_pending());
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.pulse.wrote(polled.is_pending());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.pulse.wrote(polled.is_pending());
        polled
    }
}
