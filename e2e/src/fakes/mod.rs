//! Servers that answer as a kubelet, an API server and an instance metadata service did when they were
//! recorded, and misbehave on demand. Each runs in a thread of its own and ends when dropped; all tell of
//! one [`Scene`], so that what the kubelet counts and what the API server lists are the same pods.

mod access;
mod api;
mod body;
mod certificates;
mod faults;
mod imds;
mod journal;
mod kubelet;
mod pod;
mod recorded;
mod resource;
mod scene;
mod server;
mod times;

pub use access::Access;
pub use api::{ApiFault, ApiServer, Disturbance, Security};
pub use faults::Times;
pub use imds::{HttpTokens, Imds, ImdsFault, Instance};
pub use journal::{Exchange, Journal};
pub use kubelet::{Kubelet, KubeletFault};
pub use pod::{Growth, Pod, Template};
pub use resource::Resource;
pub use scene::Scene;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that failed while it held the lock must not hide its own message behind ours.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod agent_tests;
#[cfg(test)]
mod aggregator_tests;
#[cfg(test)]
mod completion_tests;
#[cfg(test)]
mod tests;
