//! What a pod's object says, as the API server writes it: read in one way by the agents, who tell it in their
//! rows, and by the aggregator, who completes rows with it.

mod field;
mod instance;
mod owner;
mod quantity;
mod resources;

pub use field::{Field, List, Text};
pub use instance::instance_of_aws;
pub use owner::{Controller, Owner, config_hash, controller, workload};
pub use quantity::{Unit, parse_quantity, read_quantity};
pub use resources::{Amount, Demand, Spec};
