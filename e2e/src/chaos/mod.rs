//! The simulation: agents, aggregators, the network between them and the store in one process, with
//! every chance drawn from a seed. It runs the product's own code, lets everything fail that can fail,
//! and counts at the end whether each unit of usage is in the tables once.

pub mod life;
pub mod os;
pub mod profile;
pub mod random;
pub mod store;
#[cfg(test)]
mod symbols;
pub mod trace;
pub mod world;
