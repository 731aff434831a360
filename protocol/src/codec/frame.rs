//! The zstd frame around a batch.

use std::cell::RefCell;

use zstd::{
    bulk::Decompressor,
    zstd_safe::{
        CCtx, CParameter, InBuffer, OutBuffer, compress_bound, find_frame_compressed_size,
        get_frame_content_size, zstd_sys::ZSTD_EndDirective,
    },
};

use super::fault::{malformed, too_large};
use crate::Invalid;

/// The library's own default: half the bytes of level 1 for names that repeat in part.
const LEVEL: i32 = 3;
/// What a block of its own takes at most besides its content.
const BLOCK_BYTES: usize = 64;
/// What a thread keeps between two batches; most batches are smaller.
const KEPT_BYTES: usize = 1 << 20;

/// One frame with its content size and a checksum, a block for each part: what one part is like
/// would spoil the other's codes.
pub(super) fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    // Only memory can be wanting, and what allocates elsewhere ends the process then, too. An empty
    // frame is refused by everyone.
    try_pack(parts).unwrap_or_default()
}

fn try_pack(parts: &[Vec<u8>]) -> Option<Vec<u8>> {
    let bytes = parts.iter().map(Vec::len).sum();
    let mut context = CCtx::try_create()?;
    for parameter in [
        CParameter::CompressionLevel(LEVEL),
        CParameter::ContentSizeFlag(true),
        CParameter::ChecksumFlag(true),
    ] {
        context.set_parameter(parameter).ok()?;
    }
    let size = u64::try_from(bytes).ok()?;
    context.set_pledged_src_size(Some(size)).ok()?;
    let room = compress_bound(bytes) + parts.len() * BLOCK_BYTES;
    let mut frame = Vec::with_capacity(room);
    let mut out = OutBuffer::around(&mut frame);
    for (number, part) in (1..).zip(parts) {
        let end = match number == parts.len() {
            true => ZSTD_EndDirective::ZSTD_e_end,
            false => ZSTD_EndDirective::ZSTD_e_flush,
        };
        let mut input = InBuffer::around(part);
        let left = context.compress_stream2(&mut out, &mut input, end).ok()?;
        // There is room for all of it, so that nothing is ever left.
        if left > 0 {
            return None;
        }
    }
    Some(frame)
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
