//! The node agent. Data flows `kernel` -> `cgroups` -> `join` -> `host`: counters are read, named,
//! differenced into rows and written out; `kubelet`, `pods`, `imds` and `node` add what others know of
//! the same workloads. A module imports only what stands before it.

pub mod cgroups;
pub mod config;
pub mod health;
pub mod host;
pub mod http;
pub mod imds;
pub mod join;
pub mod kernel;
pub mod kubelet;
pub mod logger;
pub mod node;
pub mod pods;
pub mod run;
pub mod ship;
pub mod spool;
pub mod status;

/// An error and everything that led to it, on one line.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
