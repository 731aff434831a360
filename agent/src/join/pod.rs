//! One pod from its first cgroup to its last row. Its cgroups come and go with its containers; what
//! they counted is the pod's.

use std::collections::HashMap;

use protocol::Closing;
use serde::{Deserialize, Serialize};

use super::{
    account::{Account, Life},
    counters::Counters,
    cpu_windows,
    sample::Mark,
};
use crate::{
    cgroups::{CgroupFiles, CpuStat},
    pods::PodFacts,
};

/// Who a pod is, as the API server or, before that, the kubelet tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Uid in the API; a static pod's cgroup carries another.
    pub uid: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Controller, as `Kind/name`.
    pub owner: Option<String>,
    /// Kind of the workload.
    pub workload_kind: Option<String>,
    /// Name of the workload.
    pub workload: Option<String>,
    /// Quality-of-service class.
    pub qos: Option<String>,
    /// Whether it shares the node's network namespace.
    pub host_network: Option<bool>,
    /// CPU requested.
    pub requests_cpu_millicores: Option<i64>,
    /// Memory requested.
    pub requests_memory_bytes: Option<i64>,
    /// CPU limit.
    pub limits_cpu_millicores: Option<i64>,
    /// Memory limit.
    pub limits_memory_bytes: Option<i64>,
    /// Names of its containers by their ids.
    pub containers: HashMap<String, String>,
}

impl From<&PodFacts> for Identity {
    fn from(facts: &PodFacts) -> Self {
        let container = |found: &crate::pods::ContainerFacts| {
            Some((found.container_id.clone()?, found.name.clone()))
        };
        Self {
            uid: facts.uid.clone(),
            namespace: facts.namespace.clone(),
            name: facts.name.clone(),
            owner: facts.owner.clone(),
            workload_kind: facts.workload_kind.clone(),
            workload: facts.workload.clone(),
            qos: facts.qos.clone(),
            host_network: Some(facts.host_network),
            requests_cpu_millicores: facts.requests_cpu_millicores,
            requests_memory_bytes: facts.requests_memory_bytes,
            limits_cpu_millicores: facts.limits_cpu_millicores,
            limits_memory_bytes: facts.limits_memory_bytes,
            containers: facts.containers.iter().filter_map(container).collect(),
        }
    }
}

/// A pod and what of it is in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its own cgroup, the parent of its containers'.
    pub cgroup_id: Option<u64>,
    /// Quality-of-service class by its path.
    pub qos: Option<String>,
    /// Who it is, once somebody told.
    pub identity: Option<Identity>,
    /// Who told: `api`, `kubelet`, or its `path` alone.
    pub named_by: NamedBy,
    /// Which of its last rows was the newest.
    pub closing: Option<Closing>,
    /// A cgroup of it was seen: the kubelet alone does not keep it alive.
    pub has_cgroups: bool,
    /// Bytes sent and received by all its cgroups, as rows told them.
    pub traffic: [u64; 2],
    /// Container restarts since the last row.
    pub restarts: u64,
    /// Bytes read and written as of the last row.
    pub io: Option<(u64, u64)>,
    /// The kubelet's newest sample.
    pub mark: Option<Mark>,
}

/// Where a pod's name comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NamedBy {
    /// Nobody but the path of its cgroup.
    #[default]
    Path,
    /// The kubelet.
    Kubelet,
    /// The API server.
    Api,
}

impl NamedBy {
    /// The name in `sources`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Kubelet => "kubelet",
            Self::Api => "api",
        }
    }
}

impl Pod {
    /// Takes a name, unless a better source gave one before.
    pub fn name(&mut self, identity: Identity, by: NamedBy) {
        if by >= self.named_by {
            self.identity = Some(identity);
            self.named_by = by;
        }
    }

    /// Whether the window gets a row, and as which of its last ones.
    pub fn row(&self, group: &PodGroup) -> Option<Option<Closing>> {
        let moved = group.unreported.has_moved() || group.oom_kills > 0 || self.restarts > 0;
        if group.alive {
            return Some(None);
        }
        if !group.leaving {
            return Some(Some(Closing::Final));
        }
        match self.closing {
            None => Some(Some(Closing::Provisional)),
            Some(_) => moved.then_some(Some(Closing::Supplement)),
        }
    }
}

/// What a pod's cgroups hold together at the end of a window.
#[derive(Clone, Debug, Default)]
pub struct PodGroup {
    /// What no row told yet.
    pub unreported: Counters,
    /// CPU time in the highest window.
    pub peak_ns: u64,
    /// Some cgroup's windows are known.
    pub has_windows: bool,
    /// Throttling since the last row.
    pub throttling: Throttling,
    /// Processes killed since the last row.
    pub oom_kills: u64,
    /// A cgroup exists.
    pub alive: bool,
    /// A cgroup was removed, but more can come.
    pub leaving: bool,
}

impl PodGroup {
    /// Takes one cgroup's part.
    pub fn add(
        &mut self,
        account: &Account,
        unreported: &Counters,
        row_window: u32,
        stat: Option<CpuStat>,
    ) {
        self.unreported.add(unreported);
        if let Some(cpu) = &account.cpu {
            self.has_windows = true;
            self.peak_ns = self.peak_ns.max(cpu_windows::peak_ns(cpu, row_window));
        }
        self.throttling.add(account.stat, stat);
        self.oom_kills += account.oom_kills;
        self.alive |= account.life == Life::Alive;
        self.leaving |= matches!(account.life, Life::Removed { .. });
    }
}

/// Throttling between two readings of `cpu.stat`; absent where the cpu controller is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Time throttled, in microseconds.
    pub throttled_us: Option<u64>,
    /// Periods with throttling.
    pub throttled_periods: Option<u64>,
    /// Periods with use of the burst allowance.
    pub burst_periods: Option<u64>,
}

impl Throttling {
    /// Adds what came between two readings of one cgroup.
    pub fn add(&mut self, before: Option<CpuStat>, now: Option<CpuStat>) {
        let (Some(before), Some(now)) = (before, now) else {
            return;
        };
        let add = |sum: &mut Option<u64>, now: Option<u64>, before: Option<u64>| {
            if let Some(now) = now {
                *sum = Some(sum.unwrap_or(0) + now.saturating_sub(before.unwrap_or(0)));
            }
        };
        add(
            &mut self.throttled_us,
            now.throttled_usec,
            before.throttled_usec,
        );
        add(
            &mut self.throttled_periods,
            now.throttled_periods,
            before.throttled_periods,
        );
        add(
            &mut self.burst_periods,
            now.burst_periods,
            before.burst_periods,
        );
    }
}

/// The files of pods' own cgroups, by its id.
pub type Files = HashMap<u64, CgroupFiles>;
