//! The conservation law: what the rows of a window say against what the kernel counted in all.

use protocol::Balance;

use super::counters::{self, four};
use crate::kernel::Snapshot;

/// The node's cumulative totals: CPU time, then traffic as in `Counters`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Everything counted.
    pub total: [u64; 5],
    /// What no account took.
    pub unattributed: [u64; 5],
}

impl Totals {
    /// From a reading.
    pub fn new(snapshot: &Snapshot) -> Self {
        let figures = |run_ns: u64, [a, b, c, d]: [u64; 4]| [run_ns, a, b, c, d];
        let (cpu, network) = (&snapshot.cpu_totals, &snapshot.network_totals);
        Self {
            total: figures(cpu.run_ns, four(&network.total)),
            unattributed: figures(cpu.unattributed_ns, four(&network.unattributed)),
        }
    }

    /// What came since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let minus = |now: [u64; 5], before: [u64; 5]| {
            std::array::from_fn(|i| counters::since(now[i], before[i]))
        };
        Self {
            total: minus(self.total, earlier.total),
            unattributed: minus(self.unattributed, earlier.unattributed),
        }
    }

    /// Balances the window's totals with the sum of its rows, figure by figure. `in_flight` is what
    /// no row told up to the window before.
    pub fn balance(&self, rows: &[u64; 5], in_flight: &mut [i64; 5]) -> [Balance; 5] {
        std::array::from_fn(|i| {
            let [total, rows, unattributed] =
                [self.total[i], rows[i], self.unattributed[i]].map(signed);
            in_flight[i] += total - rows - unattributed;
            Balance {
                total,
                rows,
                unattributed,
                in_flight: in_flight[i],
            }
        })
    }
}

/// Tables hold signed integers; no counter comes near the end of them.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
