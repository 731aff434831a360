//! QUIC as h3 wants it, on quinn. Besides carrying bytes it bounds what h3 may hold: h3 keeps a frame
//! until it is whole, however long it says to be. And a stream can be given up at any point, also
//! while a read of it waits.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use h3::{
    error::Code,
    quic::{self as h3_quic, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf},
};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};

/// Bytes of one stream that h3 may have read and nobody taken from it.
const MOST_HELD: usize = 128 << 10;
/// Bytes that are read at a time.
const PIECE: usize = 4 << 10;

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, ConnectionError>> + Send + Sync>>;

/// How much of a stream h3 holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<AtomicUsize>);

impl Meter {
    fn read(&self, bytes: usize) {
        self.0.fetch_add(bytes, Relaxed);
    }

    /// Bytes of a body that were taken out.
    pub(super) fn taken(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Relaxed);
    }

    fn is_full(&self) -> bool {
        self.0.load(Relaxed) > MOST_HELD
    }
}

/// A stream sends what no request is.
#[derive(Debug, thiserror::Error)]
#[error("a stream has a frame of more than {MOST_HELD} bytes besides its body")]
struct TooMuch;

/// A connection.
pub(super) struct Connection {
    quic: quinn::Connection,
    accepting: Option<Pending<(quinn::SendStream, quinn::RecvStream)>>,
    accepting_uni: Option<Pending<quinn::RecvStream>>,
    opening: Option<Pending<quinn::SendStream>>,
    has_control: bool,
    newest: Newest,
}

/// The meter of the stream that h3 was given last.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest(Arc<std::sync::Mutex<Meter>>);

impl Newest {
    pub(super) fn get(&self) -> Meter {
        self.slot().clone()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Meter> {
        // Nothing panics while it is held.
        let locked = self.0.lock();
        locked.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn new(quic: quinn::Connection) -> Self {
        Self {
            quic,
            accepting: None,
            accepting_uni: None,
            opening: None,
            has_control: false,
            newest: Newest::default(),
        }
    }

    pub(super) fn newest(&self) -> Newest {
        self.newest.clone()
    }
}

/// Goes on with what is waited for, or begins it.
fn go_on<T>(
    slot: &mut Option<Pending<T>>,
    begin: impl FnOnce() -> Pending<T>,
    context: &mut Context<'_>,
) -> Poll<Result<T, ConnectionError>> {
    let result = ready!(slot.get_or_insert_with(begin).as_mut().poll(context));
    *slot = None;
    Poll::Ready(result)
}

impl h3_quic::Connection<Bytes> for Connection {
    type RecvStream = Receiver;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Receiver, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let begin = || -> Pending<_> {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_uni().await })
        };
        let accepted = ready!(go_on(&mut self.accepting_uni, begin, context));
        let stream = accepted.map_err(connection_error)?;
        Poll::Ready(Receiver::new(stream, Meter::default()))
    }

    fn poll_accept_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Both, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let begin = || -> Pending<_> {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_bi().await })
        };
        let accepted = ready!(go_on(&mut self.accepting, begin, context));
        let (sender, receiver) = accepted.map_err(connection_error)?;
        let meter = Meter::default();
        *self.newest.slot() = meter.clone();
        Poll::Ready(Ok(Both {
            sender: Sender::new(sender)?,
            receiver: Receiver::new(receiver, meter)?,
        }))
    }

    fn opener(&self) -> Opener {
        Opener(self.quic.clone())
    }
}

impl h3_quic::OpenStreams<Bytes> for Connection {
    type BidiStream = Both;
    type SendStream = Sender;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Both, StreamErrorIncoming>> {
        Poll::Ready(Err(never_opened()))
    }

    fn poll_open_send(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Sender, StreamErrorIncoming>> {
        // The control stream comes first. The two of QPACK would stay empty: h3 keeps no dynamic table. RFC 9204
        // lets them be left out, and h3 goes on without them.
        if self.has_control {
            return Poll::Ready(Err(never_opened()));
        }
        let quic = &self.quic;
        let begin = || -> Pending<_> {
            let quic = quic.clone();
            Box::pin(async move { quic.open_uni().await })
        };
        let opened = ready!(go_on(&mut self.opening, begin, context));
        self.has_control = true;
        let opened = opened.map_err(connection_error).and_then(Sender::new);
        Poll::Ready(opened.map_err(of_stream))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.quic.close(number(code.value()), reason);
    }
}

/// Only closes: a server opens no streams beside its own.
pub(super) struct Opener(quinn::Connection);

impl h3_quic::OpenStreams<Bytes> for Opener {
    type BidiStream = Both;
    type SendStream = Sender;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Both, StreamErrorIncoming>> {
        Poll::Ready(Err(never_opened()))
    }

    fn poll_open_send(&mut self, _: &mut Context<'_>) -> Poll<Result<Sender, StreamErrorIncoming>> {
        Poll::Ready(Err(never_opened()))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.0.close(number(code.value()), reason);
    }
}

/// What a peer sends.
pub(super) struct Receiver {
    stream: quinn::RecvStream,
    id: StreamId,
    meter: Meter,
}

impl Receiver {
    fn new(stream: quinn::RecvStream, meter: Meter) -> Result<Self, ConnectionErrorIncoming> {
        let id = id(stream.id())?;
        Ok(Self { stream, id, meter })
    }
}

impl h3_quic::RecvStream for Receiver {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        if self.meter.is_full() {
            return Poll::Ready(Err(StreamErrorIncoming::Unknown(Box::new(TooMuch))));
        }
        // On the stack: a stream that waits needs no memory.
        let mut piece = [0; PIECE];
        let read = ready!(self.stream.poll_read(context, &mut piece));
        let read = read.map_err(|error| match error {
            ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated {
                error_code: code.into_inner(),
            },
            ReadError::ConnectionLost(error) => lost(error),
            other => StreamErrorIncoming::Unknown(Box::new(other)),
        })?;
        self.meter.read(read);
        Poll::Ready(Ok(
            (read > 0).then(|| Bytes::copy_from_slice(&piece[..read]))
        ))
    }

    fn stop_sending(&mut self, code: u64) {
        // It was stopped before, or has come to its end.
        drop(self.stream.stop(number(code)));
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

/// What is sent to a peer.
pub(super) struct Sender {
    stream: quinn::SendStream,
    id: StreamId,
    writing: Option<WriteBuf<Bytes>>,
    is_over: bool,
}

impl Drop for Sender {
    /// What was not finished is no answer; quinn alone would finish it.
    fn drop(&mut self) {
        if !self.is_over {
            drop(
                self.stream
                    .reset(number(Code::H3_REQUEST_CANCELLED.value())),
            );
        }
    }
}

impl Sender {
    fn new(stream: quinn::SendStream) -> Result<Self, ConnectionErrorIncoming> {
        Ok(Self {
            id: id(stream.id())?,
            stream,
            writing: None,
            is_over: false,
        })
    }
}

impl h3_quic::SendStream<Bytes> for Sender {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = &mut self.writing {
            if !data.has_remaining() {
                break;
            }
            let write = Pin::new(&mut self.stream).poll_write(context, data.chunk());
            let written = ready!(write).map_err(|error| match error {
                WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated {
                    error_code: code.into_inner(),
                },
                WriteError::ConnectionLost(error) => lost(error),
                other => StreamErrorIncoming::Unknown(Box::new(other)),
            })?;
            data.advance(written);
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        if self.writing.is_some() {
            let reason = "sending before the last was sent".to_owned();
            return Err(of_stream(ConnectionErrorIncoming::InternalError(reason)));
        }
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.is_over = true;
        let finished = self.stream.finish();
        Poll::Ready(finished.map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        self.is_over = true;
        // It was reset before, or has come to its end.
        drop(self.stream.reset(number(code)));
    }

    fn send_id(&self) -> StreamId {
        self.id
    }
}

/// A request's stream.
pub(super) struct Both {
    sender: Sender,
    receiver: Receiver,
}

impl h3_quic::RecvStream for Both {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.receiver.poll_data(context)
    }

    fn stop_sending(&mut self, code: u64) {
        self.receiver.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.receiver.recv_id()
    }
}

impl h3_quic::SendStream<Bytes> for Both {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sender.poll_ready(context)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.sender.send_data(data)
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sender.poll_finish(context)
    }

    fn reset(&mut self, code: u64) {
        self.sender.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.sender.send_id()
    }
}

impl h3_quic::BidiStream<Bytes> for Both {
    type SendStream = Sender;
    type RecvStream = Receiver;

    fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }
}

fn connection_error(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(closed) => ConnectionErrorIncoming::ApplicationClose {
            error_code: closed.error_code.into(),
        },
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        other => ConnectionErrorIncoming::Undefined(Arc::new(other)),
    }
}

fn lost(error: ConnectionError) -> StreamErrorIncoming {
    of_stream(connection_error(error))
}

fn of_stream(connection_error: ConnectionErrorIncoming) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error }
}

fn never_opened() -> StreamErrorIncoming {
    StreamErrorIncoming::Unknown("a server opens no such stream".into())
}

fn number(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

fn id(stream: quinn::StreamId) -> Result<StreamId, ConnectionErrorIncoming> {
    StreamId::try_from(u64::from(stream)).map_err(|_| {
        ConnectionErrorIncoming::InternalError("a stream's number is too large".to_owned())
    })
}
