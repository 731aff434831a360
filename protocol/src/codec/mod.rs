//! Bytes of batches and messages: version 1, as `proto/podledger.proto` describes it.

mod bits;
mod code;
mod exchange;
mod fault;
mod frame;
mod grown;
mod read;
mod reader;
mod schema;
mod uuid;
mod write;

use crate::{Batch, Gap, Header, Invalid, Limits, Row};

pub use exchange::{decode_ack, decode_message, encode_ack, encode_message};

/// Most bytes of a node's or a cluster's name, as Kubernetes has it.
const NAME_BYTES: usize = 253;
/// Largest power of ten by which a number is divided to make a double.
const MAX_SCALE: u32 = 9;
/// All exact, so that a division by one rounds once.
const POWERS_OF_TEN: [f64; MAX_SCALE as usize + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// A whole batch as a zstd frame. `rows` holds exactly one of `reconcile`; their origins are not read.
pub fn encode_rows(header: &Header, rows: &[Row]) -> Vec<u8> {
    frame::pack(&write::whole(header, rows))
}

/// A gap as a zstd frame.
pub fn encode_gap(header: &Header, gap: &Gap) -> Vec<u8> {
    frame::pack(&write::gap(header, gap))
}

/// Checks and decodes one batch. Nothing is allocated beyond the limits. The age of its window is
/// not checked here: that needs a clock.
pub fn decode(frame: &[u8], limits: &Limits) -> Result<Batch, Invalid> {
    frame::unpack(frame, limits.batch_bytes, |content| {
        read::batch(content, limits)
    })
}
