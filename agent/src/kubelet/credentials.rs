//! Token and CA bundle, from files that are replaced while the agent runs. Kubernetes swaps a symbolic
//! link above them, so it is the file behind the path whose identity counts.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::http::{HeaderValue, secret_file};

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    #[error("cannot read {path}: {source}; is the service account mounted?")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} holds no token: {reason}")]
    NoToken { path: PathBuf, reason: &'static str },
}

/// Tells one content of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// A file that is read again when it changed.
pub(super) struct WatchedFile {
    path: PathBuf,
    most_bytes: u64,
    seen: Option<Stamp>,
}

impl WatchedFile {
    fn new(path: PathBuf, most_bytes: u64) -> Self {
        Self {
            path,
            most_bytes,
            seen: None,
        }
    }

    pub fn token(path: PathBuf) -> Self {
        Self::new(path, secret_file::MOST_TOKEN_BYTES)
    }

    pub fn ca(path: PathBuf) -> Self {
        Self::new(path, secret_file::MOST_CA_BYTES)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next look reads it in any case.
    pub fn forget(&mut self) {
        self.seen = None;
    }

    /// Its content, if that is not the one of the last look.
    pub fn read_if_changed(&mut self) -> Result<Option<Vec<u8>>, CredentialsError> {
        self.look().map_err(|source| CredentialsError::Unreadable {
            path: self.path.clone(),
            source,
        })
    }

    fn look(&mut self) -> io::Result<Option<Vec<u8>>> {
        let metadata = fs::metadata(&self.path)?;
        let stamp = Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        if self.seen == Some(stamp) {
            return Ok(None);
        }
        let content = secret_file::read(&self.path, self.most_bytes)?;
        // The stamp is older than the content: what changes in between is read once more.
        self.seen = Some(stamp);
        Ok(Some(content))
    }
}

/// The header that shows a token.
pub(super) fn bearer(path: &Path, content: &[u8]) -> Result<HeaderValue, CredentialsError> {
    let no_token = |reason| CredentialsError::NoToken {
        path: path.to_owned(),
        reason,
    };
    let token = secret_file::token(content).map_err(no_token)?;
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat())
        .map_err(|_| no_token("it can't be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_read_when_the_link_above_it_is_swapped() {
        let directory = crate::http::testing::TemporaryDirectory::new();
        let path = directory.path();
        for (name, text) in [("1", "one"), ("2", "two")] {
            fs::create_dir(path.join(name)).unwrap();
            fs::write(path.join(name).join("token"), text).unwrap();
        }
        symlink("1", path.join("..data")).unwrap();
        symlink("..data/token", path.join("token")).unwrap();
        let mut file = WatchedFile::token(path.join("token"));
        assert_eq!(file.read_if_changed().unwrap().unwrap(), b"one");
        assert_eq!(file.read_if_changed().unwrap(), None);
        symlink("2", path.join("..new")).unwrap();
        fs::rename(path.join("..new"), path.join("..data")).unwrap();
        assert_eq!(file.read_if_changed().unwrap().unwrap(), b"two");
        file.forget();
        assert_eq!(file.read_if_changed().unwrap().unwrap(), b"two");
        fs::remove_file(path.join("..data")).unwrap();
        file.read_if_changed().unwrap_err();
    }

    #[test]
    fn what_is_no_file_or_too_large_is_refused() {
        let directory = crate::http::testing::TemporaryDirectory::new();
        let path = directory.path().join("token");
        fs::write(&path, vec![b'x'; 100_000]).unwrap();
        let mut file = WatchedFile::token(path);
        let error = file.read_if_changed().unwrap_err().to_string();
        assert!(error.contains("larger than"), "{error}");
        let mut file = WatchedFile::token(directory.path().to_owned());
        let error = file.read_if_changed().unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
    }

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        let path = Path::new("/token");
        let value = bearer(path, b" abc.def \n").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer abc.def");
        assert!(!format!("{value:?}").contains("abc"));
        for wrong in [&b""[..], b" \n", b"a b", b"a\r\nX: y", b"\xff", b"a\0"] {
            let error = bearer(path, wrong).unwrap_err().to_string();
            assert!(error.contains("holds no token"), "{error}");
        }
    }
}
