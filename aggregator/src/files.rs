//! Files that others wrote: tokens, certificates, keys.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

/// The whole of a regular file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        // A pipe would hold up everything.
        return Err(io::Error::other("it is no regular file"));
    }
    let mut content = Vec::new();
    fs::File::open(path)?
        .take(most + 1)
        .read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > most) {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    Ok(content)
}
