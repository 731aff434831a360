//! One cgroup from its birth to its last row.

use std::sync::Arc;

use agent_common::cpu::CpuUsage;
use protocol::Closing;

use super::counters::Counters;
use crate::cgroups::CpuStat;

/// A removed cgroup whose counters have not moved for this long is closed, even if the kernel does
/// not tell its release: references of the memory controller can delay that for very long.
pub const QUIET_NS: u64 = 600 * 1_000_000_000;

/// Where a cgroup is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It exists.
    Alive,
    /// It was removed; since `quiet_since_ns` nothing moved.
    Removed {
        /// A closing row was written.
        told: bool,
        /// On the boot clock.
        quiet_since_ns: u64,
    },
    /// Nothing can follow, its accounts were taken out of the kernel.
    Released,
}

/// A cgroup and what of it is in the ledger.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its path; unknown when its birth was lost.
    pub path: Option<String>,
    /// The pod that it belongs to, by the uid in its path.
    pub pod: Option<Arc<str>>,
    /// Where it is in its life.
    pub life: Life,
    /// What rows told so far.
    pub reported: Counters,
    /// The newest reading.
    pub current: Counters,
    /// The newest reading's windows.
    pub cpu: Option<CpuUsage>,
    /// `cpu.stat` as of the last row; all zero for one whose birth was seen.
    pub stat: Option<CpuStat>,
    /// Processes killed since the last row.
    pub oom_kills: u64,
}

impl Account {
    /// A cgroup that nothing was told of yet.
    pub fn new(path: Option<String>) -> Self {
        Self {
            path,
            pod: None,
            life: Life::Alive,
            reported: Counters::default(),
            current: Counters::default(),
            cpu: None,
            stat: None,
            oom_kills: 0,
        }
    }

    /// What no row told yet.
    pub fn unreported(&self) -> Counters {
        self.current.since(&self.reported)
    }

    /// Whether the window gets a row for it, and as which of its last ones.
    pub fn row(&self, unreported: &Counters) -> Option<Option<Closing>> {
        let moved = unreported.has_moved() || self.oom_kills > 0;
        let ever = !self.current.is_zero() || self.oom_kills > 0;
        match self.life {
            Life::Alive => ever.then_some(None),
            Life::Removed { told: false, .. } => ever.then_some(Some(Closing::Provisional)),
            Life::Removed { told: true, .. } => moved.then_some(Some(Closing::Supplement)),
            Life::Released => ever.then_some(Some(Closing::Final)),
        }
    }

    /// Takes note that the window is written; whether the account goes on.
    pub fn settle(&mut self, unreported: &Counters, now_ns: u64) -> bool {
        self.reported = self.current.clone();
        self.oom_kills = 0;
        match &mut self.life {
            Life::Alive => true,
            Life::Released => false,
            Life::Removed {
                told,
                quiet_since_ns,
            } => {
                if !*told || unreported.has_moved() {
                    *quiet_since_ns = now_ns;
                }
                *told = true;
                true
            }
        }
    }

    /// Whether it was removed and has been quiet for long enough to be closed.
    pub fn is_quiet(&self, now_ns: u64) -> bool {
        matches!(self.life, Life::Removed { told: true, quiet_since_ns }
            if now_ns.saturating_sub(quiet_since_ns) > QUIET_NS)
    }
}
