//! Who speaks: a bearer token, and the node that it may speak for.

mod cache;
mod expiry;
mod file;
mod kubernetes;
mod review;
mod token;

use std::sync::Arc;

use http::HeaderMap;

use crate::ingest::Refused;

pub use file::{FileError, TokenFile};
pub use kubernetes::Kubernetes;

/// Whose rows a peer may bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any node's.
    Anybody,
    /// This node's.
    Node(Arc<str>),
}

impl Who {
    /// The node, where there is but one.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Anybody => None,
            Self::Node(node) => Some(node),
        }
    }
}

/// How it is found out.
#[derive(Debug)]
pub enum Authenticator {
    /// Not at all: whoever reaches the port may write any node's rows.
    None,
    /// By a file of tokens.
    TokenFile(TokenFile),
    /// By asking the API server.
    Kubernetes(Box<Kubernetes>),
}

impl Authenticator {
    /// Who sends a request with these headers.
    pub async fn who(&self, headers: &HeaderMap) -> Result<Who, Refused> {
        match self {
            Self::None => Ok(Who::Anybody),
            Self::TokenFile(file) => file.who(&token::bearer(headers)?),
            Self::Kubernetes(kubernetes) => kubernetes.who(&token::bearer(headers)?).await,
        }
    }
}
