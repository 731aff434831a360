//! The aggregator: takes batches from the agents and commits them, each once, to the tables.

pub mod held;
pub mod intake;
pub mod lake;
pub mod service;
pub mod verify;
