//! Table `pod_network`: a workload's traffic by class of the other end.

use serde::Serialize;

use crate::{Origin, Timestamp, table::record::record};

/// Where the other end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkClass {
    /// Not known yet when the packet passed.
    Unknown,
    /// Over the loopback interface.
    Loopback,
    /// An address of this node.
    Node,
    /// A private, link-local or multicast address.
    Private,
    /// Any other address.
    Internet,
    /// A private address in this node's zone.
    SameZone,
    /// A private address in another zone.
    CrossZone,
}

impl NetworkClass {
    /// Its text in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Loopback => "loopback",
            Self::Node => "node",
            Self::Private => "private",
            Self::Internet => "internet",
            Self::SameZone => "same_zone",
            Self::CrossZone => "cross_zone",
        }
    }

    /// All classes, in the kernel's order.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Loopback,
        Self::Node,
        Self::Private,
        Self::Internet,
        Self::SameZone,
        Self::CrossZone,
    ];
}

record! {
    /// One class of one workload in one window.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct PodNetwork in PodNetwork {
        /// End of the window.
        pub timestamp: Timestamp,
        /// As in `pod_usage`.
        pub pod_id: String,
        /// Where the other end is: `loopback`, `node` (this node), `same_zone`, `cross_zone`, `private` (a
        /// private address of no known zone), `internet`, or `unknown`.
        pub class: NetworkClass,
        /// Start of the window.
        pub window_start: Timestamp,
        /// End of the window.
        pub window_end: Timestamp,
        /// Bytes sent in the window, as IP packets. The classes of a pod and window sum to
        /// `net_tx_bytes_delta` of `pod_usage`.
        pub tx_bytes_delta: i64,
        /// Packets sent in the window.
        pub tx_packets_delta: i64,
        /// Bytes received in the window, as IP packets.
        pub rx_bytes_delta: i64,
        /// Packets received in the window.
        pub rx_packets_delta: i64,
        /// Id of the cgroup.
        pub cgroup_id: Option<i64>,
        /// Namespace of the pod; null for what is no pod.
        pub namespace: Option<String>,
        /// Name of the pod.
        pub pod_name: Option<String>,
        /// Who wrote it.
        #[serde(flatten)]
        pub origin: Origin,
    }
}
