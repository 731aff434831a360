//! From the spool to an aggregator. What is sent next, and on which way, is decided by machines without
//! a clock and without a network of their own (`delivery`, `ways`); the rest joins them with both.

pub mod delivery;
mod error;
mod exchange;
mod http1;
mod http3;
mod link;
#[cfg(test)]
mod link_tests;
mod settings;
mod tally;
pub mod task;
#[cfg(test)]
mod testing;
mod trust;
pub mod ways;

pub use error::ShipError;
pub use settings::{Limits, Settings};
pub use tally::{Counts, DURATION_BUCKETS, Durations, Tally};
pub use task::Shipper;
pub use ways::Way;
