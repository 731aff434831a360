//! The node agent. Data flows `kernel` -> `cgroups` -> `join` -> `host`: counters are read, named,
//! differenced into rows and written out. A module imports only what stands before it.

pub mod cgroups;
pub mod kernel;
