//! Bytes of batches and messages.

use bytes::Bytes;

use crate::{Ack, Batch, Gap, Header, Invalid, Limits, Message, Row};

/// A whole batch as a zstd frame. `rows` holds exactly one of `reconcile`; their origins are not read.
pub fn encode_rows(header: &Header, rows: &[Row]) -> Vec<u8> {
    let _ = (header, rows);
    unimplemented!()
}

/// A gap as a zstd frame.
pub fn encode_gap(header: &Header, gap: &Gap) -> Vec<u8> {
    let _ = (header, gap);
    unimplemented!()
}

/// Checks and decodes one batch. Nothing is allocated beyond the limits. The age of its window is
/// not checked here: that needs a clock.
pub fn decode(frame: &[u8], limits: &Limits) -> Result<Batch, Invalid> {
    let _ = (frame, limits);
    unimplemented!()
}

/// A request's body.
pub fn encode_message(message: &Message) -> Vec<u8> {
    let _ = message;
    unimplemented!()
}

/// Reads a request's body; its batches are slices of it.
pub fn decode_message(body: Bytes, limits: &Limits) -> Result<Message, Invalid> {
    let _ = (body, limits);
    unimplemented!()
}

/// An answer's body.
pub fn encode_ack(ack: &Ack) -> Vec<u8> {
    let _ = ack;
    unimplemented!()
}

/// Reads an answer's body.
pub fn decode_ack(body: &[u8]) -> Result<Ack, Invalid> {
    let _ = body;
    unimplemented!()
}
