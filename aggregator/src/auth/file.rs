//! Tokens from a file, for the demo and for plain hosts: a line for each, `TOKEN NODE`, or `TOKEN *`
//! for one that may speak for any node. The file is read again when it changes.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use protocol::RefusalKind;
use tokio::time::Instant;

use super::{
    Who,
    token::{Digest, Token},
};
use crate::{files, ingest::Refused};

/// Largest file.
const MOST_BYTES: u64 = 4 << 20;
/// A change is seen after this time at most.
const PERIOD: Duration = Duration::from_secs(2);

/// Why a file of tokens can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("reading the tokens in {}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line means nothing.
    #[error("line {line} of {}: write a token, a space, and a node's name or *", path.display())]
    Line {
        /// Where.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Nobody could ever speak.
    #[error("{} holds no token: write a line `TOKEN NODE` for each node", path.display())]
    Empty {
        /// Where.
        path: PathBuf,
    },
}

/// See the module.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    known: Mutex<Known>,
}

type Tokens = HashMap<Digest, Who>;

#[derive(Debug)]
struct Known {
    tokens: Arc<Tokens>,
    content: Vec<u8>,
    read: Instant,
}

impl TokenFile {
    /// Reads the file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let path = path.into();
        let content = read(&path)?;
        let tokens = Arc::new(parse(&path, &content)?);
        let known = Mutex::new(Known {
            tokens,
            content,
            read: Instant::now(),
        });
        Ok(Self { path, known })
    }

    /// Whose token it is.
    pub(super) fn who(&self, token: &Token<'_>) -> Result<Who, Refused> {
        let refused = "authorization: the token is not in the aggregator's file of tokens";
        self.tokens()
            .get(&token.digest())
            .cloned()
            .ok_or_else(|| Refused::new(RefusalKind::Unauthorized, refused))
    }

    fn tokens(&self) -> Arc<Tokens> {
        // What is known is whole at any time.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.read.elapsed() >= PERIOD {
            known.read = Instant::now();
            if let Err(error) = self.renew(&mut known) {
                log::warn!(
                    "the tokens that were known before stay: {}",
                    crate::error_chain(&error)
                );
            }
        }
        Arc::clone(&known.tokens)
    }

    fn renew(&self, known: &mut Known) -> Result<(), FileError> {
        let content = read(&self.path)?;
        if content == known.content {
            return Ok(());
        }
        known.content = content;
        known.tokens = Arc::new(parse(&self.path, &known.content)?);
        log::info!("{} tokens were read anew", known.tokens.len());
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    files::read(path, MOST_BYTES).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })
}

fn parse(path: &Path, content: &[u8]) -> Result<Tokens, FileError> {
    let mut tokens = Tokens::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (digest, who) = parse_line(line).ok_or_else(|| FileError::Line {
            path: path.to_owned(),
            line: index + 1,
        })?;
        tokens.insert(digest, who);
    }
    match tokens.is_empty() {
        true => Err(FileError::Empty {
            path: path.to_owned(),
        }),
        false => Ok(tokens),
    }
}

fn parse_line(line: &[u8]) -> Option<(Digest, Who)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (token, node) = (Token::new(words.next()?)?, words.next()?);
    let who = match node {
        "*" => Who::Anybody,
        node => Who::Node(node.into()),
    };
    words.next().is_none().then(|| (token.digest(), who))
}

#[cfg(test)]
mod tests;
