//! Memory that is really used: every page of it was written to.

/// Pages are taken by this much at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// Takes memory until `bytes` are held.
pub(super) fn take(bytes: u64) -> Vec<Vec<u8>> {
    let chunks = bytes.div_ceil(CHUNK_BYTES as u64);
    (0..chunks)
        .map(|_| std::hint::black_box(vec![1; CHUNK_BYTES]))
        .collect()
}

/// Takes memory until the kernel ends the process. Returns when it has got far too much instead.
pub(super) fn take_until_killed() {
    const FAR_TOO_MUCH: u64 = 1 << 30;
    drop(take(FAR_TOO_MUCH));
}
