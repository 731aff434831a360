//! Table `pod_usage`: one row for each workload and window. The first 21 columns are those of the
//! published schema, in its order and with its types; ours follow.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, table::record::record};

/// Which of its last rows this is, for a workload that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Its cgroup was removed; packets still queued may follow.
    Provisional,
    /// Something did follow.
    Supplement,
    /// Nothing can follow.
    Final,
}

impl Closing {
    /// Its text in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Supplement => "supplement",
            Self::Final => "final",
        }
    }
}

record! {
    /// A workload in one window. What nobody could tell is absent, never 0.
    #[derive(Clone, Debug, Default, PartialEq, Serialize)]
    pub struct PodUsage in PodUsage {
        /// End of the window.
        #[column(time_text)]
        pub timestamp: Timestamp,
        /// Cluster.
        #[column(header)]
        pub cluster_id: String,
        /// Node.
        #[column(header)]
        pub node_name: String,
        /// EC2 instance.
        pub ec2_instance_id: Option<String>,
        /// Pod uid; on a plain host the path of the cgroup.
        pub pod_id: String,
        /// Namespace.
        pub namespace: Option<String>,
        /// Owner reference.
        pub owner: Option<String>,
        /// Mean CPU over the window.
        pub cpu_usage_cores: Option<f64>,
        /// Memory in use.
        pub memory_usage_bytes: Option<i64>,
        /// Running total of bytes sent: the kubelet's, except where that is the node's.
        pub net_tx_bytes: Option<i64>,
        /// Running total of bytes received.
        pub net_rx_bytes: Option<i64>,
        /// CPU requested.
        pub requests_cpu_millicores: Option<i64>,
        /// Memory requested.
        pub requests_memory_bytes: Option<i64>,
        /// CPU limit.
        pub limits_cpu_millicores: Option<i64>,
        /// Memory limit.
        pub limits_memory_bytes: Option<i64>,
        /// Labels as key=value.
        pub labels: Option<Vec<String>>,
        /// Annotations as key=value.
        pub annotations: Option<Vec<String>>,
        /// Volume claims mounted.
        pub pvc_count: Option<i32>,
        /// Storage claimed.
        pub total_pvc_storage_bytes: Option<i64>,
        /// Names of the claims.
        pub pvc_names: Option<Vec<String>>,
        /// EBS volumes behind them.
        pub aws_volume_ids: Option<Vec<String>>,
        /// Start of the window.
        pub window_start: Timestamp,
        /// End of the window.
        pub window_end: Timestamp,
        /// Nothing can follow for this workload.
        pub is_final: bool,
        /// Shares the node's network namespace.
        pub host_network: Option<bool>,
        /// Quality-of-service class.
        pub qos: Option<String>,
        /// Kind of the workload: on a plain host `service`, `scope`, `slice` or `cgroup`.
        pub workload_kind: Option<String>,
        /// Name of the workload.
        pub workload: Option<String>,
        /// Availability zone.
        pub zone: Option<String>,
        /// Region.
        pub region: Option<String>,
        /// EC2 instance type.
        pub instance_type: Option<String>,
        /// CPU time in the window.
        pub cpu_seconds: Option<f64>,
        /// Highest mean over 100 ms.
        pub cpu_peak_cores: Option<f64>,
        /// 99th percentile of the means over 100 ms.
        pub cpu_p99_cores: Option<f64>,
        /// Time in which 100 ms means exceeded the request.
        pub cpu_over_request_seconds: Option<f64>,
        /// Time throttled by the quota.
        pub cpu_throttled_seconds: Option<f64>,
        /// Quota periods with throttling.
        pub cpu_throttled_periods: Option<i64>,
        /// Quota periods with use of the burst allowance.
        pub cpu_burst_periods: Option<i64>,
        /// Working set.
        pub memory_working_set_bytes: Option<i64>,
        /// Anonymous resident memory.
        pub memory_rss_bytes: Option<i64>,
        /// Highest memory use of its cgroup so far.
        pub memory_peak_bytes: Option<i64>,
        /// Processes killed for want of memory.
        pub oom_kills: Option<i64>,
        /// Container restarts in the window.
        pub restarts: Option<i64>,
        /// Bytes sent in the window.
        pub net_tx_bytes_delta: Option<i64>,
        /// Packets sent in the window.
        pub net_tx_packets_delta: Option<i64>,
        /// Bytes received in the window.
        pub net_rx_bytes_delta: Option<i64>,
        /// Packets received in the window.
        pub net_rx_packets_delta: Option<i64>,
        /// Bytes read from block devices.
        pub io_read_bytes_delta: Option<i64>,
        /// Bytes written to block devices.
        pub io_write_bytes_delta: Option<i64>,
        /// Where the figures come from, as figure=source.
        pub sources: Vec<String>,
        /// Kernel records lost in the window, on the whole node.
        pub lost_events: i64,
        /// Boot of the kernel whose counters these are.
        #[column(header)]
        pub boot_id: String,
        /// Drawn at every start of the agent.
        #[column(header)]
        pub epoch: String,
        /// Number of the window in this epoch.
        #[column(header)]
        pub seq: i64,
        /// Id of the cgroup, where the workload is one.
        pub cgroup_id: Option<i64>,
        /// Which of its last rows this is.
        pub closing: Option<Closing>,
        /// Name of the pod.
        pub pod_name: Option<String>,
        /// Swap in use.
        pub swap_usage_bytes: Option<i64>,
        /// Time in which some task waited for CPU.
        pub psi_cpu_some_seconds: Option<f64>,
        /// Time in which all tasks waited for CPU.
        pub psi_cpu_full_seconds: Option<f64>,
        /// Time in which some task waited for memory.
        pub psi_memory_some_seconds: Option<f64>,
        /// Time in which all tasks waited for memory.
        pub psi_memory_full_seconds: Option<f64>,
        /// Time in which some task waited for a block device.
        pub psi_io_some_seconds: Option<f64>,
        /// Time in which all tasks waited for a block device.
        pub psi_io_full_seconds: Option<f64>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: [&str; 21] = [
        "timestamp",
        "cluster_id",
        "node_name",
        "ec2_instance_id",
        "pod_id",
        "namespace",
        "owner",
        "cpu_usage_cores",
        "memory_usage_bytes",
        "net_tx_bytes",
        "net_rx_bytes",
        "requests_cpu_millicores",
        "requests_memory_bytes",
        "limits_cpu_millicores",
        "limits_memory_bytes",
        "labels",
        "annotations",
        "pvc_count",
        "total_pvc_storage_bytes",
        "pvc_names",
        "aws_volume_ids",
    ];

    /// Readers of the published schema find its columns first and in order.
    #[test]
    fn the_published_columns_come_first() {
        let json = serde_json::to_string(&PodUsage::default()).unwrap();
        let mut rest = json.as_str();
        for column in PUBLISHED {
            let name = format!("\"{column}\":");
            let at = rest
                .find(&name)
                .unwrap_or_else(|| panic!("{column} is missing or misplaced"));
            assert!(
                !rest[..at].contains("window_start"),
                "{column} comes after our columns"
            );
            rest = &rest[at + name.len()..];
        }
    }
}
