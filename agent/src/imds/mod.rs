//! The EC2 instance that this node is, from the instance metadata service.

mod client;
#[cfg(test)]
mod client_tests;
mod field;
mod task;
mod token;

pub use client::{DEFAULT_ENDPOINT, DEFAULT_TOKEN_TTL, Fetched, Imds, ImdsError, Settings};
pub use field::{Field, FieldError, parse_field};
pub use task::{Pace, run};

/// What the service, or the Node object instead of it, tells of an instance. What it does not tell is
/// absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// `i-...`
    pub instance_id: Option<String>,
    /// `m7g.large` and the like.
    pub instance_type: Option<String>,
    /// Availability zone, by this account's name.
    pub zone: Option<String>,
    /// Availability zone, the same in every account.
    pub zone_id: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// `spot` or `on-demand`.
    pub capacity_type: Option<String>,
}
