//! A workload: what its pods have in common.

/// What makes its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One on each node.
    DaemonSet,
    /// Some, of one replica set after the other.
    Deployment,
    /// Some, with names and volumes of their own.
    StatefulSet,
    /// One that does its work and ends, again and again.
    CronJob,
    /// A service of the node, and no pod.
    Service,
}

impl Kind {
    /// As rows tell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DaemonSet => "DaemonSet",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::CronJob => "CronJob",
            Self::Service => "service",
        }
    }
}

/// What is asked for and allowed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub requests_cpu_millicores: Option<i64>,
    pub requests_memory_bytes: Option<i64>,
    pub limits_cpu_millicores: Option<i64>,
    pub limits_memory_bytes: Option<i64>,
}

/// What a pod does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    /// Mean CPU over a day.
    pub cores: f64,
    /// How much of it follows the day, from 0 to 1.
    pub day: f64,
    /// Chance of a burst in a window.
    pub bursts: f64,
    /// CPU that a burst wants.
    pub burst_cores: f64,
    /// Packets for each second of CPU time.
    pub packets: f64,
    /// Parts of its traffic: same zone, cross zone, private, internet, loopback.
    pub traffic: [f64; 5],
    /// Whether the kubelet probes it over the network.
    pub is_probed: bool,
    /// Memory that it settles at.
    pub memory_bytes: i64,
    /// By how much its memory grows in an hour, until it is killed.
    pub leak_bytes: i64,
    /// Bytes written for each second of CPU time.
    pub writes: f64,
}

/// When the pods of one template run.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// From when it is the newest.
    pub from_us: i64,
    /// What the name of its replica set ends with.
    pub hash: String,
    /// Labels of its pods.
    pub labels: Vec<String>,
    /// Annotations of its pods.
    pub annotations: Vec<String>,
}

/// When the pods of a workload run, beside its templates.
#[derive(Clone, Copy, Debug)]
pub(super) enum Times {
    /// All the time.
    Always,
    /// Only in these hours of the day: it is scaled with the load.
    Hours(i64, i64),
    /// Again and again, each for a time between these.
    Every {
        period_us: i64,
        offset_us: i64,
        shortest_us: f64,
        longest_us: f64,
    },
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
    pub replicas: usize,
    pub host_network: bool,
    pub size: Size,
    pub work: Work,
    /// Ascending by time, the first of before the first window.
    pub templates: Vec<Template>,
    pub times: Times,
    /// Of each pod's volume.
    pub volume_bytes: Option<i64>,
}

impl Workload {
    /// As Kubernetes derives it.
    pub fn qos(&self) -> &'static str {
        let size = &self.size;
        let asks = size.requests_cpu_millicores.is_some() || size.requests_memory_bytes.is_some();
        let is_all = size.limits_cpu_millicores.is_some()
            && size.requests_cpu_millicores == size.limits_cpu_millicores
            && size.requests_memory_bytes == size.limits_memory_bytes;
        match (asks, is_all) {
            (_, true) => "guaranteed",
            (true, false) => "burstable",
            (false, false) => "besteffort",
        }
    }
}
