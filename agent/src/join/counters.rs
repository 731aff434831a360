//! The cumulative counters of one cgroup, and their differences.

use agent_common::{
    cpu::{CpuUsage, HISTOGRAM_BUCKETS},
    network::{CLASSES, Traffic},
};
use serde::{Deserialize, Serialize};

/// What the kernel counted for a cgroup until some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// CPU time.
    pub run_ns: u64,
    /// Windows of 100 ms by their height; empty while nothing ran.
    pub histogram: Vec<u32>,
    /// Traffic by class: bytes and packets sent, bytes and packets received; empty without any.
    pub network: Vec<[u64; 4]>,
}

impl Counters {
    /// From what the kernel holds.
    pub fn new(cpu: Option<&CpuUsage>, network: Option<&[Traffic; CLASSES]>) -> Self {
        Self {
            run_ns: cpu.map_or(0, |cpu| cpu.run_ns),
            histogram: cpu.map_or_else(Vec::new, |cpu| cpu.histogram.to_vec()),
            network: network
                .filter(|classes| classes.iter().any(|class| *class != Traffic::default()))
                .map_or_else(Vec::new, |classes| classes.iter().map(four).collect()),
        }
    }

    /// Whether nothing was ever counted.
    pub fn is_zero(&self) -> bool {
        self.run_ns == 0 && self.network.is_empty()
    }

    /// What came since `earlier`. Counters never fall; one that did began anew, and all of it is new.
    pub fn since(&self, earlier: &Self) -> Self {
        let zero = [0; 4];
        Self {
            run_ns: since(self.run_ns, earlier.run_ns),
            histogram: (0..if self.histogram.is_empty() {
                0
            } else {
                HISTOGRAM_BUCKETS
            })
                .map(|bucket| {
                    let at = |counts: &[u32]| counts.get(bucket).copied().unwrap_or(0);
                    // The kernel's counters of 32 bits wrap.
                    at(&self.histogram).wrapping_sub(at(&earlier.histogram))
                })
                .collect(),
            network: self
                .network
                .iter()
                .enumerate()
                .map(|(class, now)| {
                    let before = earlier.network.get(class).unwrap_or(&zero);
                    std::array::from_fn(|i| since(now[i], before[i]))
                })
                .collect(),
        }
    }

    /// Adds another cgroup's.
    pub fn add(&mut self, other: &Self) {
        self.run_ns += other.run_ns;
        if self.histogram.len() < other.histogram.len() {
            self.histogram.resize(other.histogram.len(), 0);
        }
        for (sum, windows) in self.histogram.iter_mut().zip(&other.histogram) {
            *sum = sum.saturating_add(*windows);
        }
        if self.network.len() < other.network.len() {
            self.network.resize(other.network.len(), [0; 4]);
        }
        for (sum, class) in self.network.iter_mut().zip(&other.network) {
            *sum = std::array::from_fn(|i| sum[i] + class[i]);
        }
    }

    /// Whether anything came, seen as a difference.
    pub fn has_moved(&self) -> bool {
        self.run_ns > 0 || self.traffic() != [0; 4]
    }

    /// Traffic of all classes.
    pub fn traffic(&self) -> [u64; 4] {
        self.network.iter().fold([0; 4], |sum, class| {
            std::array::from_fn(|i| sum[i] + class[i])
        })
    }
}

/// What came since; a counter that fell began anew.
pub fn since(now: u64, earlier: u64) -> u64 {
    now.checked_sub(earlier).unwrap_or(now)
}

/// A class's traffic in the order of [`Counters::network`].
pub fn four(traffic: &Traffic) -> [u64; 4] {
    [
        traffic.tx_bytes,
        traffic.tx_packets,
        traffic.rx_bytes,
        traffic.rx_packets,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(run_ns: u64, tx_bytes: u64) -> Counters {
        Counters {
            run_ns,
            histogram: Vec::new(),
            network: vec![[tx_bytes, 1, 0, 0]],
        }
    }

    #[test]
    fn differences_are_what_came_since() {
        let difference = counters(30, 500).since(&counters(10, 200));
        assert_eq!(
            (difference.run_ns, difference.network[0]),
            (20, [300, 0, 0, 0])
        );
    }

    #[test]
    fn counters_that_began_anew_are_all_new() {
        let difference = counters(5, 7).since(&counters(10, 200));
        assert_eq!((difference.run_ns, difference.network[0][0]), (5, 7));
    }
}
