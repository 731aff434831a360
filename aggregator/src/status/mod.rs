//! What the aggregator tells of itself: counters, and the plain-HTTP listener for probes and metrics.

mod health;
pub(crate) mod label;
mod metrics;
mod page;
mod server;

pub use label::{Counts, Label, Pairs};
pub use metrics::{Closed, Metrics, Outcome, Reason, Reload, Times, Verdict, Way};
pub use page::Page;
pub use server::{Reporter, serve};
