//! `POST /metrics`: what the older system's collectors push, as that system published it. A push becomes a
//! batch of a sender that lives in this process, and goes the way of every other batch from there on.

mod body;
mod definition;
mod rows;
mod senders;
#[cfg(test)]
mod tests;
mod time;

use protocol::{RefusalKind, Timestamp};
use serde::Serialize;

pub use body::{Payload, Pod, parse, schema};
pub(crate) use rows::BOOT_ID;
pub use rows::frame;
pub use senders::Next;
pub(crate) use senders::{Senders, Turn};

/// Where older collectors push to.
pub const PATH: &str = "/metrics";
/// What they push.
pub const CONTENT_TYPE: &str = "application/json";

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, as `pods[3].cpu_usage_cores`.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl Problem {
    /// Of this field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

/// Why a push was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// What kind, as it is counted.
    pub kind: RefusalKind,
    /// All that is wrong, up to a bound.
    pub problems: Vec<Problem>,
}

impl NotTaken {
    /// For one reason.
    pub fn new(kind: RefusalKind, field: &str, reason: impl Into<String>) -> Self {
        Self {
            kind,
            problems: vec![Problem::new(field, reason)],
        }
    }
}

/// What makes a batch of a payload.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Cluster, which no payload names.
    pub cluster: &'a str,
    /// Its turn.
    pub next: &'a Next,
}

impl Payload {
    /// When its window ended.
    pub fn end(&self) -> Timestamp {
        self.timestamp.0
    }

    /// Whose it is.
    pub fn node(&self) -> &str {
        &self.node_name.0
    }
}
