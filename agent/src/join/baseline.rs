//! What an agent remembers between two runs, so that the next one's first window begins exactly
//! where the last one's ended.

use agent_common::loss::LOSSES;
use serde::{Deserialize, Serialize};

use super::{balance::Totals, counters::Counters};

/// The state of the ledger after a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The node's totals.
    pub totals: Totals,
    /// What was lost.
    pub losses: [u64; LOSSES],
    /// End of the last window, wall clock.
    pub window_end_us: i64,
    /// End of the last window, boot clock.
    pub window_end_ns: u64,
    /// Every account.
    pub cgroups: Vec<KnownCgroup>,
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
    /// Since when it has been removed and quiet, boot clock.
    pub removed_ns: Option<u64>,
}
