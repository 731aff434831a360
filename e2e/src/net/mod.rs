//! Networks of a test's own, workloads that talk over them, and the counters of the interfaces, the
//! sockets and the agent to hold against each other.

mod echo;
pub mod meter;
pub mod namespace;
pub mod pair;
mod raw;
mod stream;
pub mod tcp;
mod uring;
pub mod workload;
