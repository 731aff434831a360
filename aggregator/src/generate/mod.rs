//! Tables without a cluster: batches of agents that are not there, committed as those of real ones are.
//! For demonstrations, tests and measurements.

mod agent;
mod cluster;
mod command;
#[cfg(test)]
mod tests;

pub use agent::FakeAgent;
pub use cluster::{Cluster, Shape};
pub use command::{Arguments, GenerateError, Progress, fill, run};
