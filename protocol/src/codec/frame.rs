//! The zstd frame around a batch.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};

use super::fault::{malformed, too_large};
use crate::Invalid;

/// The library's own default: half the bytes of level 1 for names that repeat in part.
const LEVEL: i32 = 3;
/// What a thread keeps between two batches; most batches are smaller.
const KEPT_BYTES: usize = 1 << 20;

/// One frame with its content size and a checksum.
pub(super) fn pack(content: &[u8]) -> Vec<u8> {
    let packed = Compressor::new(LEVEL).and_then(|mut compressor| {
        compressor.include_checksum(true)?;
        compressor.include_contentsize(true)?;
        compressor.compress(content)
    });
    // Only memory can be wanting, and what allocates elsewhere ends the process then, too. An empty
    // frame is refused by everyone.
    packed.unwrap_or_default()
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
