//! The zstd frame around a batch.

use std::{
    cell::RefCell,
    io::{self, Write as _},
};

use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};
use zstd::{bulk::Decompressor, stream::write::Encoder};

use super::fault::{malformed, too_large};
use crate::Invalid;

/// The library's own default: half the bytes of level 1 for names that repeat in part.
const LEVEL: i32 = 3;
/// What a thread keeps between two batches; most batches are smaller.
const KEPT_BYTES: usize = 1 << 20;

/// One frame with its content size and a checksum, a block for each part: what one part is like
/// would spoil the other's codes.
pub(super) fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    // Only memory can be wanting, and what allocates elsewhere ends the process then, too. An empty
    // frame is refused by everyone.
    try_pack(parts).unwrap_or_default()
}

fn try_pack(parts: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let bytes = parts.iter().map(Vec::len).sum();
    let mut encoder = Encoder::new(Vec::with_capacity(bytes), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(true)?;
    encoder.set_pledged_src_size(u64::try_from(bytes).ok())?;
    for part in parts {
        encoder.write_all(part)?;
        encoder.flush()?;
    }
    encoder.finish()
}

/// What a thread needs for unpacking: new ones for each batch would cost more than the batch.
struct Unpacker {
    decompressor: Decompressor<'static>,
    content: Vec<u8>,
}

thread_local! {
    static UNPACKER: RefCell<Option<Unpacker>> = const { RefCell::new(None) };
}

/// Hands the frame's content to `read`. Its size is checked before a byte is allocated for it.
pub(super) fn unpack<T>(
    frame: &[u8],
    most_bytes: usize,
    read: impl FnOnce(&[u8]) -> Result<T, Invalid>,
) -> Result<T, Invalid> {
    let size = content_size(frame, most_bytes)?;
    let mut unpacker = match UNPACKER.take() {
        Some(unpacker) => unpacker,
        None => new_unpacker()?,
    };
    unpacker.content.clear();
    unpacker.content.reserve(size);
    let unpacked = unpacker
        .decompressor
        .decompress_to_buffer(frame, &mut unpacker.content);
    let result = match unpacked {
        Ok(bytes) if bytes == size => read(&unpacker.content),
        Ok(_) => Err(malformed("batch", "the frame's content size is wrong")),
        Err(error) => Err(malformed("batch", format!("no zstd frame: {error}"))),
    };
    unpacker.content.clear();
    unpacker.content.shrink_to(KEPT_BYTES);
    UNPACKER.set(Some(unpacker));
    result
}

fn content_size(frame: &[u8], most_bytes: usize) -> Result<usize, Invalid> {
    let size = get_frame_content_size(frame)
        .map_err(|_| malformed("batch", "no zstd frame"))?
        .ok_or_else(|| malformed("batch", "the frame does not tell its content size"))?;
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= most_bytes)
        .ok_or_else(|| {
            too_large(
                "batch",
                format!("{size} bytes when decompressed, at most {most_bytes}"),
            )
        })?;
    match find_frame_compressed_size(frame) {
        Ok(bytes) if bytes == frame.len() => Ok(size),
        Ok(_) => Err(malformed("batch", "something follows the frame")),
        Err(_) => Err(malformed("batch", "the frame is cut short")),
    }
}

fn new_unpacker() -> Result<Unpacker, Invalid> {
    let decompressor = Decompressor::new()
        .map_err(|error| too_large("batch", format!("no memory to decompress it: {error}")))?;
    Ok(Unpacker {
        decompressor,
        content: Vec::new(),
    })
}
