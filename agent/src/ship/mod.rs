//! From the spool to an aggregator. What is sent next, on which way and to which address, is decided by machines
//! without a clock and without a network of their own (`delivery`, `ways`, `spread`); the rest joins them with both.

pub mod delivery;
mod error;
mod exchange;
mod http1;
mod http3;
mod link;
#[cfg(test)]
mod link_tests;
pub mod lookup;
mod settings;
pub mod spread;
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
