//! Table `reconcile`: the node's own totals beside the sum of its rows, for every window.
//! `total = rows + unattributed + (in_flight - in_flight of the window before)`. What is in flight
//! has been counted, but not told in a row yet: the rows are read before the total. It falls back to
//! about nothing whenever little happens; what stays in it is lost.

use serde::Serialize;

use crate::{Origin, Timestamp, table::record::record};

/// One figure of the node in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// What the hook counted in all.
    pub total: i64,
    /// The sum of the rows.
    pub rows: i64,
    /// What no row could take.
    pub unattributed: i64,
    /// Counted, but in no row up to the end of this window. See the module.
    pub in_flight: i64,
}

record! {
    /// The balance of one window.
    #[derive(Clone, Debug, Default, PartialEq, Serialize)]
    pub struct Reconcile in Reconcile {
        /// End of the window.
        pub timestamp: Timestamp,
        /// Start of the window.
        pub window_start: Timestamp,
        /// End of the window.
        pub window_end: Timestamp,
        /// Rows of `pod_usage` in this window.
        #[column(not_in_gap)]
        pub rows_pod_usage: i64,
        /// Rows of `pod_network` in this window.
        #[column(not_in_gap)]
        pub rows_pod_network: i64,
        /// Rows of `events` in this window.
        #[column(not_in_gap)]
        pub rows_events: i64,
        /// Rows of `node_usage` in this window.
        #[column(not_in_gap)]
        pub rows_node_usage: i64,
        /// CPU time in the window, in nanoseconds.
        #[column(not_in_gap)]
        pub cpu_ns: Balance,
        /// Bytes sent in the window.
        #[column(not_in_gap)]
        pub net_tx_bytes: Balance,
        /// Packets sent in the window.
        #[column(not_in_gap)]
        pub net_tx_packets: Balance,
        /// Bytes received in the window.
        #[column(not_in_gap)]
        pub net_rx_bytes: Balance,
        /// Packets received in the window.
        #[column(not_in_gap)]
        pub net_rx_packets: Balance,
        /// What the kernel side lost in this window, as name=count.
        #[column(not_in_gap)]
        pub losses: Vec<String>,
        /// State of every source, as name=state.
        #[column(not_in_gap)]
        pub sources: Vec<String>,
        /// Bytes sent by the node's own interfaces; never equal to the hook's total, see `docs/accuracy.md`.
        pub nic_tx_bytes: Option<i64>,
        /// Packets sent by them.
        pub nic_tx_packets: Option<i64>,
        /// Bytes received by them.
        pub nic_rx_bytes: Option<i64>,
        /// Packets received by them.
        pub nic_rx_packets: Option<i64>,
        /// CPU time of the node as `/proc/stat` tells it, in nanoseconds.
        pub proc_cpu_ns: Option<i64>,
        /// CPU time of the node as the kubelet tells it, between its last two samples.
        pub kubelet_cpu_ns: Option<i64>,
        /// CPU time of the pods as the kubelet tells it, between its last two samples.
        pub kubelet_pods_cpu_ns: Option<i64>,
        /// Bytes sent by the node as the kubelet tells it, between its last two samples.
        pub kubelet_tx_bytes: Option<i64>,
        /// Bytes received by the node as the kubelet tells it, between its last two samples.
        pub kubelet_rx_bytes: Option<i64>,
        /// Length of the time between those samples, in seconds.
        pub kubelet_seconds: Option<f64>,
        /// Who wrote it.
        #[serde(flatten)]
        pub origin: Origin,
    }
}
