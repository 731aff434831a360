//! What an agent remembers between two runs, so that the next one's first window begins exactly
//! where the last one's ended.

use agent_common::loss::LOSSES;
use protocol::Event;
use serde::{Deserialize, Serialize};

use super::{balance::Totals, counters::Counters, node::NodeLedger, pod::Pod};
use crate::cgroups::CpuStat;

/// The state of the ledger after a window, and what it took in since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The node's totals.
    pub totals: Totals,
    /// What is in no row yet, figure by figure.
    pub in_flight: [i64; 5],
    /// What was lost.
    pub losses: [u64; LOSSES],
    /// End of the last window, wall clock.
    pub window_end_us: i64,
    /// End of the last window, boot clock.
    pub window_end_ns: u64,
    /// Every account.
    pub cgroups: Vec<KnownCgroup>,
    /// Events that no window told yet.
    pub events: Vec<Event>,
    /// Every pod, by the uid that its cgroup carries.
    pub pods: Vec<(String, Pod)>,
    /// Pods that got their last row, while the kubelet still tells of them.
    pub closed: Vec<String>,
    /// The node's own counters.
    pub node: NodeLedger,
}

impl Baseline {
    /// Cgroups whose last counters are in here.
    pub fn released(&self) -> Vec<u64> {
        let released = |known: &KnownCgroup| known.last.is_some().then_some(known.id);
        self.cgroups.iter().filter_map(released).collect()
    }
}

/// An account as it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCgroup {
    /// Its id.
    pub id: u64,
    /// Its path.
    pub path: Option<String>,
    /// What rows told.
    pub reported: Counters,
    /// Its last counters, taken out of the kernel but not told yet.
    pub last: Option<Counters>,
    /// `cpu.stat` as of the last row.
    pub stat: Option<CpuStat>,
    /// Kills that no row told yet.
    pub oom_kills: u64,
    /// Since when it has been removed and quiet, boot clock.
    pub removed_ns: Option<u64>,
}
