//! The kubelet's sample of one pod beside the one before. The kubelet repeats a sample until it has a
//! newer one, so its own times tell whether a figure is new.

use protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::counters;
use crate::kubelet::{Cpu, Network, NodeStats, PodStats, Psi};

/// The counters of one sample and the times at which they were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    cpu: Option<Counted<1>>,
    memory_us: Option<i64>,
    network: Option<Counted<2>>,
    /// The memory's time; the CPU's where the kubelet tells no memory.
    psi_us: Option<i64>,
    psi: [Option<u64>; 6],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counted<const N: usize> {
    at_us: i64,
    #[serde(with = "as_vec")]
    values: [u64; N],
}

/// What came between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Since {
    /// CPU time, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Bytes sent and received.
    pub network: Option<[u64; 2]>,
    /// Stall times in microseconds: some and full of CPU, memory and I/O.
    pub psi_us: [Option<u64>; 6],
    /// Time between the CPU samples.
    pub seconds: Option<f64>,
    /// The memory sample is the one of the window before.
    pub is_stale: bool,
}

impl Mark {
    /// Of a pod.
    pub fn of_pod(stats: &PodStats) -> Self {
        Self {
            // A sum over containers falls when one of them goes: no counter to take differences of.
            cpu: stats.cpu.filter(|_| !stats.is_cpu_summed).map(cpu),
            memory_us: stats.memory.map(|memory| memory.time.unix_us),
            network: stats.network.and_then(network),
            psi_us: psi_time(stats).map(|time| time.unix_us),
            psi: stats.psi.map(six).unwrap_or_default(),
        }
    }

    /// Of the node.
    pub fn of_node(stats: &NodeStats) -> Self {
        Self {
            cpu: stats.cpu.map(cpu),
            network: stats.network.and_then(network),
            ..Self::default()
        }
    }

    /// The mark of a pod that started at `start`: everything is still to come.
    pub fn at_start(start: Timestamp) -> Self {
        Self {
            cpu: Some(Counted {
                at_us: start.unix_us,
                values: [0],
            }),
            memory_us: None,
            network: Some(Counted {
                at_us: start.unix_us,
                values: [0; 2],
            }),
            psi_us: Some(start.unix_us),
            psi: [Some(0); 6],
        }
    }

    /// What came since `earlier`; nothing where the sample is the same one again, or an older one.
    pub fn since(&self, earlier: &Self) -> Since {
        let is_psi_new = self.is_psi_new_after(earlier);
        let stall = |i: usize| {
            let (now, before) = (self.psi[i]?, earlier.psi[i]?);
            Some(match is_psi_new {
                true => counters::since(now, before),
                false => 0,
            })
        };
        Since {
            cpu_ns: difference(self.cpu, earlier.cpu).map(|[ns]| ns),
            network: difference(self.network, earlier.network),
            psi_us: std::array::from_fn(stall),
            seconds: match (self.cpu, earlier.cpu) {
                (Some(now), Some(before)) if now.at_us >= before.at_us => {
                    Some((now.at_us - before.at_us) as f64 / 1e6)
                }
                _ => None,
            },
            is_stale: self.memory_us.is_some() && self.memory_us == earlier.memory_us,
        }
    }

    /// Takes what is new, figure by figure.
    pub fn advance(&mut self, newer: &Self) {
        keep_newer(&mut self.cpu, newer.cpu);
        keep_newer(&mut self.network, newer.network);
        self.memory_us = newer.memory_us.or(self.memory_us);
        if newer.is_psi_new_after(self) {
            self.psi_us = newer.psi_us;
            self.psi = std::array::from_fn(|i| newer.psi[i].or(self.psi[i]));
        }
    }

    fn is_psi_new_after(&self, before: &Self) -> bool {
        match (self.psi_us, before.psi_us) {
            (Some(now_us), Some(before_us)) => {
                let fell = self.psi.iter().zip(&before.psi).any(
                    |(now, before)| matches!((now, before), (Some(now), Some(before)) if now < before),
                );
                is_new(now_us, before_us, fell)
            }
            (now_us, _) => now_us.is_some(),
        }
    }
}

fn cpu(cpu: Cpu) -> Counted<1> {
    Counted {
        at_us: cpu.time.unix_us,
        values: [cpu.usage_core_ns],
    }
}

fn network(network: Network) -> Option<Counted<2>> {
    Some(Counted {
        at_us: network.time.unix_us,
        values: [network.tx_bytes?, network.rx_bytes?],
    })
}

fn difference<const N: usize>(
    now: Option<Counted<N>>,
    before: Option<Counted<N>>,
) -> Option<[u64; N]> {
    let (now, before) = (now?, before?);
    Some(match now.is_new_after(&before) {
        true => std::array::from_fn(|i| counters::since(now.values[i], before.values[i])),
        false => [0; N],
    })
}

fn keep_newer<const N: usize>(kept: &mut Option<Counted<N>>, newer: Option<Counted<N>>) {
    match (&kept, newer) {
        (Some(before), Some(now)) if !now.is_new_after(before) => {}
        (_, Some(_)) => *kept = newer,
        (_, None) => {}
    }
}

impl<const N: usize> Counted<N> {
    fn is_new_after(&self, before: &Self) -> bool {
        let fell = self
            .values
            .iter()
            .zip(&before.values)
            .any(|(now, before)| now < before);
        is_new(self.at_us, before.at_us, fell)
    }
}

/// A sample of another time is a new one. One from before with smaller counters is an old one
/// come back; with larger counters the clock was set back.
const fn is_new(now_us: i64, before_us: i64, fell: bool) -> bool {
    now_us > before_us || (now_us < before_us && !fell)
}

fn psi_time(stats: &PodStats) -> Option<Timestamp> {
    let memory = stats.memory.map(|memory| memory.time);
    memory.or(stats.cpu.map(|cpu| cpu.time))
}

fn six(psi: Psi) -> [Option<u64>; 6] {
    [
        psi.cpu_some_us,
        psi.cpu_full_us,
        psi.memory_some_us,
        psi.memory_full_us,
        psi.io_some_us,
        psi.io_full_us,
    ]
}

/// Serde knows arrays of fixed lengths only.
mod as_vec {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer, const N: usize>(
        values: &[u64; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        values.as_slice().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u64; N], D::Error> {
        let values = Vec::<u64>::deserialize(deserializer)?;
        values
            .try_into()
            .map_err(|_| D::Error::custom(format!("{N} counters are expected")))
    }
}
