//! The kubelet's `/stats/summary`, typed and bounded.

mod client;
#[cfg(test)]
mod client_tests;
mod convert;
mod credentials;
mod debug;
mod lenient;
mod parse;
mod summary;
#[cfg(test)]
mod summary_tests;
mod wire;

pub use client::{DEFAULT_ENDPOINT, Kubelet, Sample, Settings};
pub use summary::{Cpu, Memory, Network, NodeStats, PodStats, Psi, Summary, SummaryError};
