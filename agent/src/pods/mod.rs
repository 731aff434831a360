//! This node's pods as the API server tells them.

mod backoff;
mod client;
mod credentials;
mod error;
mod facts;
mod lines;
mod node;
#[cfg(test)]
mod scripted;
mod store;
mod watch;
mod wire;

pub use client::Settings;
pub use error::ApiError;
pub use facts::{ContainerEnd, ContainerFacts, PodFacts, facts_from_json};
pub use node::instance_of_node;
pub use store::{PodStore, Restart};
pub use watch::watch;
