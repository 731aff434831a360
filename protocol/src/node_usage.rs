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
        /// Mean CPU in use over the window.
        pub cpu_usage_cores: Option<f64>,
        /// CPU time in user mode.
        pub cpu_user_seconds: Option<f64>,
        /// CPU time in the kernel, interrupts included.
        pub cpu_system_seconds: Option<f64>,
        /// CPU time with nothing to do.
        pub cpu_idle_seconds: Option<f64>,
        /// Idle time with a block device to wait for.
        pub cpu_iowait_seconds: Option<f64>,
        /// CPU time that the hypervisor gave to others.
        pub cpu_steal_seconds: Option<f64>,
        /// Load over 1 minute.
        pub load_1: Option<f64>,
        /// Load over 5 minutes.
        pub load_5: Option<f64>,
        /// Load over 15 minutes.
        pub load_15: Option<f64>,
        /// Memory there is.
        pub memory_total_bytes: Option<i64>,
        /// Memory that could be had without swapping.
        pub memory_available_bytes: Option<i64>,
        /// Memory in use by the kubelet's measure.
        pub memory_working_set_bytes: Option<i64>,
        /// Swap there is.
        pub swap_total_bytes: Option<i64>,
        /// Swap in use.
        pub swap_usage_bytes: Option<i64>,
        /// Time in which some task waited for CPU.
        pub psi_cpu_some_seconds: Option<f64>,
        /// Time in which some task waited for memory.
        pub psi_memory_some_seconds: Option<f64>,
        /// Time in which all tasks waited for memory.
        pub psi_memory_full_seconds: Option<f64>,
        /// Time in which some task waited for a block device.
        pub psi_io_some_seconds: Option<f64>,
        /// Time in which all tasks waited for a block device.
        pub psi_io_full_seconds: Option<f64>,
        /// Bytes sent by the node's own interfaces.
        pub nic_tx_bytes: Option<i64>,
        /// Packets sent by them.
        pub nic_tx_packets: Option<i64>,
        /// Packets that they did not send.
        pub nic_tx_dropped: Option<i64>,
        /// Bytes received by them.
        pub nic_rx_bytes: Option<i64>,
        /// Packets received by them.
        pub nic_rx_packets: Option<i64>,
        /// Packets that they did not keep.
        pub nic_rx_dropped: Option<i64>,
        /// Names of those interfaces.
        pub nics: Option<Vec<String>>,
        /// Pods with a row in this window.
        pub pods: Option<i64>,
        /// Time since the last boot.
        pub uptime_seconds: Option<f64>,
        /// Where the figures come from, as figure=source.
        pub sources: Vec<String>,
        /// Who wrote it.
        #[serde(flatten)]
        pub origin: Origin,
    }
}
