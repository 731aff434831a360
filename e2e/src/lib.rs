//! What whole-system tests and benchmarks share: cgroups and processes that clean up after
//! themselves, and workloads whose true consumption is known.

pub mod cgroup;
pub mod chaos;
pub mod disk;
pub mod fakes;
pub mod footprint;
pub mod harness;
pub mod load;
pub mod memory;
pub mod net;
pub mod node;
pub mod process;
pub mod stack;
pub mod store;
