//! The rows that leave a node: one struct for each table, its fields the table's columns in their
//! order. Whoever adds a column appends it and makes it optional.

pub mod batch;
mod codec;
pub mod columns;
mod event;
pub mod exchange;
mod node_usage;
pub mod pod;
mod pod_network;
mod pod_usage;
mod reconcile;
mod table;
mod time;

use serde::{Deserialize, Serialize};

pub use batch::{
    Batch, Body, Counts, Epoch, Gap, GapReason, Header, Invalid, InvalidKind, Limits, Previous,
};
pub use codec::{
    decode, decode_ack, decode_message, encode_ack, encode_gap, encode_message, encode_rows,
};
pub use event::{Event, EventKind};
pub use exchange::{Ack, Answer, Message, Refusal, RefusalKind};
pub use node_usage::NodeUsage;
pub use pod_network::{NetworkClass, PodNetwork};
pub use pod_usage::{Closing, PodUsage};
pub use reconcile::{Balance, Reconcile};
pub use table::{Column, Kind, Table};
pub use time::Timestamp;

/// A row of any table; as JSON it tells its table first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "table", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "rows are made, written and dropped one by one"
)]
pub enum Row {
    /// A workload in one window.
    PodUsage(PodUsage),
    /// A workload's traffic of one class in one window.
    PodNetwork(PodNetwork),
    /// The node in one window.
    NodeUsage(NodeUsage),
    /// Something that happened.
    Events(Event),
    /// What the node's totals say of one window's rows.
    Reconcile(Reconcile),
}

impl Row {
    /// Whose row it is.
    pub const fn table(&self) -> Table {
        match self {
            Self::PodUsage(_) => Table::PodUsage,
            Self::PodNetwork(_) => Table::PodNetwork,
            Self::NodeUsage(_) => Table::NodeUsage,
            Self::Events(_) => Table::Events,
            Self::Reconcile(_) => Table::Reconcile,
        }
    }
}

/// Who wrote a row, and when: (node, epoch, seq) names the batch that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Cluster.
    pub cluster_id: String,
    /// Node.
    pub node_name: String,
    /// Boot of the kernel whose counters these are.
    pub boot_id: String,
    /// Drawn at every start of the agent.
    pub epoch: String,
    /// Number of the window in this epoch, from 1.
    pub seq: u64,
}
