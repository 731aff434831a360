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
        /// End of the window in ISO 8601, UTC; the same as `window_end`.
        #[column(time_text)]
        pub timestamp: Timestamp,
        /// Cluster.
        #[column(header)]
        pub cluster_id: String,
        /// Node that it ran on.
        #[column(header)]
        pub node_name: String,
        /// EC2 instance of the node, as in `line_item_resource_id` of the AWS bill; null where nothing told
        /// it.
        pub ec2_instance_id: Option<String>,
        /// Pod uid; of what is no pod, the path of its cgroup. `unattributed` is what no workload could be
        /// charged with.
        pub pod_id: String,
        /// Namespace; null for what is no pod, such as services of the node.
        pub namespace: Option<String>,
        /// What made the pod, as kind/name: the replica set rather than its deployment, which is in `workload`.
        pub owner: Option<String>,
        /// Mean CPU over the window, in cores: `cpu_seconds` by the window's length, also of a pod that lived
        /// for a part of it. Do not sum over windows; sum `cpu_seconds`.
        pub cpu_usage_cores: Option<f64>,
        /// Memory in use at the end of the window, with the cache of files.
        pub memory_usage_bytes: Option<i64>,
        /// Running total of bytes sent since the pod began: the kubelet's, except where that is the node's.
        /// For sums use `net_tx_bytes_delta`.
        pub net_tx_bytes: Option<i64>,
        /// Running total of bytes received. For sums use `net_rx_bytes_delta`.
        pub net_rx_bytes: Option<i64>,
        /// CPU requested by all containers, in thousandths of a core; null if none asks.
        pub requests_cpu_millicores: Option<i64>,
        /// Memory requested by all containers; null if none asks.
        pub requests_memory_bytes: Option<i64>,
        /// CPU limit of all containers, in thousandths of a core; null if one has none.
        pub limits_cpu_millicores: Option<i64>,
        /// Memory limit of all containers; null if one has none.
        pub limits_memory_bytes: Option<i64>,
        /// Labels of the pod as key=value, by key.
        pub labels: Option<Vec<String>>,
        /// Annotations of the pod as key=value, by key.
        pub annotations: Option<Vec<String>>,
        /// Persistent volume claims that the pod mounts.
        pub pvc_count: Option<i32>,
        /// Storage of those claims.
        pub total_pvc_storage_bytes: Option<i64>,
        /// Names of those claims.
        pub pvc_names: Option<Vec<String>>,
        /// EBS volumes behind those claims, as in `line_item_resource_id` of the AWS bill.
        pub aws_volume_ids: Option<Vec<String>>,
        /// Start of the window. Windows of a node follow each other without a hole, except at a gap.
        pub window_start: Timestamp,
        /// End of the window.
        pub window_end: Timestamp,
        /// Nothing can follow for this workload: its last counters are in this row.
        pub is_final: bool,
        /// Shares the node's network namespace; its traffic is its own all the same.
        pub host_network: Option<bool>,
        /// Quality-of-service class: `guaranteed`, `burstable` or `besteffort`.
        pub qos: Option<String>,
        /// Kind of the workload that the pod is of, such as `Deployment`; of what is no pod `service`,
        /// `scope`, `slice` or `cgroup`.
        pub workload_kind: Option<String>,
        /// Name of the workload; of what is no pod the same as `pod_id`.
        pub workload: Option<String>,
        /// Availability zone of the node.
        pub zone: Option<String>,
        /// Region of the node.
        pub region: Option<String>,
        /// EC2 instance type of the node.
        pub instance_type: Option<String>,
        /// CPU time used in the window, in seconds of one core. All rows of a node and window sum to
        /// `cpu_ns_rows` of `reconcile`.
        pub cpu_seconds: Option<f64>,
        /// Highest mean over any 100 ms of the window, in cores: what a mean over the window hides.
        pub cpu_peak_cores: Option<f64>,
        /// 99th percentile of the means over 100 ms, in cores; an estimate from a histogram with steps of a
        /// third.
        pub cpu_p99_cores: Option<f64>,
        /// Time in the window, in seconds, in which the mean over 100 ms was above the request; null without
        /// a request.
        pub cpu_over_request_seconds: Option<f64>,
        /// Time that tasks were held back by the CPU limit, in seconds, summed over CPUs: can exceed the
        /// window.
        pub cpu_throttled_seconds: Option<f64>,
        /// Quota periods, most often of 100 ms, in which something was held back.
        pub cpu_throttled_periods: Option<i64>,
        /// Quota periods in which the burst allowance was used.
        pub cpu_burst_periods: Option<i64>,
        /// Memory that the kubelet evicts by: in use, without files that could be dropped. At the end of the
        /// window.
        pub memory_working_set_bytes: Option<i64>,
        /// Anonymous resident memory at the end of the window.
        pub memory_rss_bytes: Option<i64>,
        /// Highest memory use of its cgroup since the pod began; not of the window.
        pub memory_peak_bytes: Option<i64>,
        /// Processes killed for want of memory in the window; can be summed.
        pub oom_kills: Option<i64>,
        /// Container restarts in the window; can be summed.
        pub restarts: Option<i64>,
        /// Bytes sent in the window, as IP packets; the sum of its classes in `pod_network`, of which
        /// loopback is one.
        pub net_tx_bytes_delta: Option<i64>,
        /// Packets sent in the window.
        pub net_tx_packets_delta: Option<i64>,
        /// Bytes received in the window, as IP packets.
        pub net_rx_bytes_delta: Option<i64>,
        /// Packets received in the window.
        pub net_rx_packets_delta: Option<i64>,
        /// Bytes read from block devices in the window.
        pub io_read_bytes_delta: Option<i64>,
        /// Bytes written to block devices in the window.
        pub io_write_bytes_delta: Option<i64>,
        /// Where the figures come from, as figure=source.
        pub sources: Vec<String>,
        /// Kernel records lost in the window, on the whole node; anything but 0 puts its rows in doubt.
        pub lost_events: i64,
        /// Boot of the kernel whose counters these are.
        #[column(header)]
        pub boot_id: String,
        /// Drawn at every start of the agent; with node and seq it names the batch that the row came in.
        #[column(header)]
        pub epoch: String,
        /// Number of the batch in this epoch, from 1.
        #[column(header)]
        pub seq: i64,
        /// Id of the cgroup in the kernel.
        pub cgroup_id: Option<i64>,
        /// Which of its last rows this is: `provisional` once its cgroup is removed, `supplement` for what
        /// came after, `final`.
        pub closing: Option<Closing>,
        /// Name of the pod.
        pub pod_name: Option<String>,
        /// Swap in use at the end of the window.
        pub swap_usage_bytes: Option<i64>,
        /// Time in the window, in seconds, in which some task waited for CPU; as the kernel's pressure stall
        /// information tells it.
        pub psi_cpu_some_seconds: Option<f64>,
        /// Time in the window, in seconds, in which all tasks waited for CPU; as the kernel's pressure stall
        /// information tells it.
        pub psi_cpu_full_seconds: Option<f64>,
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
