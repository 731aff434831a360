//! The simulation: agents, aggregators, the network between them and the store in one process, with
//! every chance drawn from a seed. It runs the product's own code, lets everything fail that can fail,
//! and counts at the end whether each unit of usage is in the tables once.

mod aggregator;
#[cfg(test)]
mod brown_out;
pub mod check;
mod disasters;
mod fleet;
pub mod life;
mod lines;
mod network;
mod node;
pub mod os;
pub mod profile;
pub mod random;
pub mod run;
pub mod store;
#[cfg(test)]
mod symbols;
#[cfg(test)]
mod tests;
pub mod trace;
mod truth;
pub mod world;
