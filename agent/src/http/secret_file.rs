//! Tokens and CA bundles as files that others wrote.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

/// Longest token.
pub const MOST_TOKEN_BYTES: u64 = 64 * 1_024;
/// Longest CA bundle.
pub const MOST_CA_BYTES: u64 = 1_024 * 1_024;

/// The whole of a regular file of at most `most_bytes`.
pub fn read(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        // A pipe would hold up everything.
        return Err(io::Error::other("it is no regular file"));
    }
    let mut content = Vec::new();
    let file = fs::File::open(path)?;
    file.take(most_bytes + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most_bytes {
        return Err(io::Error::other(format!(
            "it is larger than {most_bytes} bytes"
        )));
    }
    Ok(content)
}

/// The token that a file holds, or why that is none.
pub fn token(content: &[u8]) -> Result<&[u8], &'static str> {
    let token = content.trim_ascii();
    if token.is_empty() {
        return Err("it is empty");
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err("it is not one word");
    }
    Ok(token)
}
