//! Table `node_usage`: one row for each node and window, from the node's own files.

use serde::Serialize;

use crate::{Origin, Timestamp, table::record::record};

record! {
    /// A node in one window. What nobody could tell is absent, never 0.
    #[derive(Clone, Debug, Default, PartialEq, Serialize)]
    pub struct NodeUsage in NodeUsage {
        /// End of the window.
        pub timestamp: Timestamp,
        /// Start of the window.
        pub window_start: Timestamp,
        /// End of the window.
        pub window_end: Timestamp,
        /// EC2 instance.
        pub ec2_instance_id: Option<String>,
        /// EC2 instance type.
        pub instance_type: Option<String>,
        /// Availability zone.
        pub zone: Option<String>,
        /// Id of the zone, the same in every account.
        pub zone_id: Option<String>,
        /// Region.
        pub region: Option<String>,
        /// `spot` or `on-demand`.
        pub capacity_type: Option<String>,
        /// Version of the kernel.
        pub kernel_version: Option<String>,
        /// CPUs that can run something.
        pub cpus: Option<i64>,
        /// Mean CPU in use over the window, in cores.
        pub cpu_usage_cores: Option<f64>,
        /// CPU time in user mode in the window, in seconds.
        pub cpu_user_seconds: Option<f64>,
        /// CPU time in the kernel in the window, interrupts included, in seconds.
        pub cpu_system_seconds: Option<f64>,
        /// CPU time with nothing to do in the window, in seconds.
        pub cpu_idle_seconds: Option<f64>,
        /// Idle time with a block device to wait for in the window, in seconds.
        pub cpu_iowait_seconds: Option<f64>,
        /// CPU time that the hypervisor gave to others in the window, in seconds.
        pub cpu_steal_seconds: Option<f64>,
        /// Load over 1 minute.
        pub load_1: Option<f64>,
        /// Load over 5 minutes.
        pub load_5: Option<f64>,
        /// Load over 15 minutes.
        pub load_15: Option<f64>,
        /// Memory of the node.
        pub memory_total_bytes: Option<i64>,
        /// Memory that could be had without swapping, at the end of the window.
        pub memory_available_bytes: Option<i64>,
        /// Memory in use by the kubelet's measure, at the end of the window.
        pub memory_working_set_bytes: Option<i64>,
        /// Swap there is.
        pub swap_total_bytes: Option<i64>,
        /// Swap in use.
        pub swap_usage_bytes: Option<i64>,
        /// Time in the window, in seconds, in which some task waited for CPU; as the kernel's pressure stall
        /// information tells it.
        pub psi_cpu_some_seconds: Option<f64>,
        /// Time in the window, in seconds, in which some task waited for memory; as the kernel's pressure
        /// stall information tells it.
        pub psi_memory_some_seconds: Option<f64>,
        /// Time in the window, in seconds, in which all tasks waited for memory; as the kernel's pressure
        /// stall information tells it.
        pub psi_memory_full_seconds: Option<f64>,
        /// Time in the window, in seconds, in which some task waited for a block device; as the kernel's
        /// pressure stall information tells it.
        pub psi_io_some_seconds: Option<f64>,
        /// Time in the window, in seconds, in which all tasks waited for a block device; as the kernel's
        /// pressure stall information tells it.
        pub psi_io_full_seconds: Option<f64>,
        /// Bytes sent in the window by the node's own interfaces.
        pub nic_tx_bytes: Option<i64>,
        /// Packets sent by them in the window.
        pub nic_tx_packets: Option<i64>,
        /// Packets that they did not send in the window.
        pub nic_tx_dropped: Option<i64>,
        /// Bytes received in the window by the node's own interfaces.
        pub nic_rx_bytes: Option<i64>,
        /// Packets received by them in the window.
        pub nic_rx_packets: Option<i64>,
        /// Packets that they did not keep in the window.
        pub nic_rx_dropped: Option<i64>,
        /// Names of those interfaces.
        pub nics: Option<Vec<String>>,
        /// Pods with a row in this window.
        pub pods: Option<i64>,
        /// Time since the last boot, in seconds.
        pub uptime_seconds: Option<f64>,
        /// Where the figures come from, as figure=source.
        pub sources: Vec<String>,
        /// Who wrote it.
        #[serde(flatten)]
        pub origin: Origin,
    }
}
