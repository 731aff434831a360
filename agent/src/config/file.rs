//! Where the file is, and its text. All that touches the outside is here.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Names the file when the command line does not.
pub const CONFIG_VARIABLE: &str = "PODLEDGER_CONFIG";
/// Read when nothing else is named and it is there.
pub const DEFAULT_FILE: &str = "/etc/podledger/agent.yaml";
/// Longest file.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Can't be read.
    #[error("reading the settings of {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The answer.
        #[source]
        source: io::Error,
    },
    /// A directory, pipe or device.
    #[error("{} is no regular file: name a file of settings", .0.display())]
    NotAFile(PathBuf),
    /// Too long.
    #[error("{} is longer than {MAX_FILE_BYTES} bytes: this is no file of settings", .0.display())]
    TooLong(PathBuf),
    /// Not text.
    #[error("{} is not UTF-8: save it as UTF-8", .0.display())]
    NotText(PathBuf),
}

/// The file to read: what the command line names, else the environment, else the usual place.
pub fn find_file(
    named: Option<&Path>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<PathBuf> {
    named
        .map(Path::to_owned)
        .or_else(|| {
            environment(CONFIG_VARIABLE)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        })
        .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()))
}

/// Its text.
pub fn read_file(path: &Path) -> Result<String, FileError> {
    let failed = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    // A pipe could keep the agent waiting for ever.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::TooLong(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText(path.to_owned()))
}

/// A variable of this process. Bytes that are not text are kept as marks, so that the setting's own
/// check refuses them.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
