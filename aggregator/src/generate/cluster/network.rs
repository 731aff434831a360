//! A pod's traffic: probes that are the same in every window, and packets that come with its work.

use protocol::{NetworkClass, Origin, PodNetwork, PodUsage};
use rand::{Rng as _, rngs::StdRng};

use super::{random::between, workload::Work};

/// Between two probes of the kubelet.
const PROBES: f64 = 10.0;
/// Who has less to say in a window waits until it is about so many packets.
const TOGETHER: f64 = 150.0;
/// Where traffic that comes with work goes, as [`Work::traffic`] has it.
const CLASSES: [NetworkClass; 5] = [
    NetworkClass::SameZone,
    NetworkClass::CrossZone,
    NetworkClass::Private,
    NetworkClass::Internet,
    NetworkClass::Loopback,
];

/// What a pod's traffic is like.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    /// Bytes sent and received with one probe.
    probe: Option<[i64; 2]>,
    /// Packets for each second of CPU time.
    packets: f64,
    /// Parts of the classes; together 1.
    parts: [f64; 5],
    /// Bytes of a packet sent, and of one received.
    sizes: [f64; 2],
    /// Packets received for each that is sent.
    answers: f64,
}

impl Traffic {
    /// Of a pod that does this work.
    pub fn new(rng: &mut StdRng, work: &Work) -> Self {
        let sum: f64 = work.traffic.iter().sum();
        Self {
            probe: work
                .is_probed
                .then(|| [rng.random_range(380..900), rng.random_range(420..560)]),
            packets: work.packets,
            parts: work.traffic.map(|part| part / sum.max(f64::MIN_POSITIVE)),
            sizes: [between(rng, 90.0, 1_200.0), between(rng, 90.0, 1_200.0)],
            answers: rng.random_range(0.7..1.2),
        }
    }

    /// Fills in a window's figures and gives their rows.
    pub fn live(&self, usage: &mut PodUsage, rng: &mut StdRng, alive: f64) -> Vec<PodNetwork> {
        let mut rows = Vec::new();
        if let Some([tx, rx]) = self.probe {
            let probes = (alive / PROBES).round() as i64;
            let packets = [4 * probes, 5 * probes];
            rows.extend(row(
                usage,
                NetworkClass::Node,
                packets,
                [tx * probes, rx * probes],
            ));
        }
        let work = usage.cpu_seconds.unwrap_or_default() * self.packets;
        let work = work * rng.random_range(0.8..1.25);
        for (class, part) in CLASSES.into_iter().zip(self.parts) {
            if part > 0.0 {
                let sent = together(rng, work * part) as i64;
                let packets = [
                    sent,
                    (sent as f64 * self.answers * rng.random_range(0.9..1.1)) as i64,
                ];
                let [tx, rx] = self.sizes;
                let bytes = [
                    (packets[0] as f64 * tx * rng.random_range(0.9..1.1)) as i64,
                    (packets[1] as f64 * rx * rng.random_range(0.9..1.1)) as i64,
                ];
                rows.extend(row(usage, class, packets, bytes));
            }
        }
        sum(usage, &rows);
        rows
    }
}

/// The packets of one window. Few on average are some now and then.
fn together(rng: &mut StdRng, packets: f64) -> f64 {
    if packets >= TOGETHER {
        return packets;
    }
    if rng.random_bool(packets.max(0.0) / TOGETHER) {
        TOGETHER
    } else {
        0.0
    }
}

/// Of a class that moved.
fn row(
    usage: &PodUsage,
    class: NetworkClass,
    packets: [i64; 2],
    bytes: [i64; 2],
) -> Option<PodNetwork> {
    let moved = packets.iter().sum::<i64>() > 0;
    moved.then(|| PodNetwork {
        timestamp: usage.timestamp,
        pod_id: usage.pod_id.clone(),
        class,
        window_start: usage.window_start,
        window_end: usage.window_end,
        tx_bytes_delta: bytes[0],
        tx_packets_delta: packets[0],
        rx_bytes_delta: bytes[1],
        rx_packets_delta: packets[1],
        cgroup_id: usage.cgroup_id,
        namespace: usage.namespace.clone(),
        pod_name: usage.pod_name.clone(),
        origin: Origin::default(),
    })
}

/// A pod's own figures are those of its classes.
fn sum(usage: &mut PodUsage, rows: &[PodNetwork]) {
    let sum = |of: fn(&PodNetwork) -> i64| rows.iter().map(of).sum::<i64>();
    let (tx, rx) = (sum(|row| row.tx_bytes_delta), sum(|row| row.rx_bytes_delta));
    usage.net_tx_bytes_delta = Some(tx);
    usage.net_rx_bytes_delta = Some(rx);
    usage.net_tx_packets_delta = Some(sum(|row| row.tx_packets_delta));
    usage.net_rx_packets_delta = Some(sum(|row| row.rx_packets_delta));
    usage.net_tx_bytes = usage.net_tx_bytes.map(|total| total + tx);
    usage.net_rx_bytes = usage.net_rx_bytes.map(|total| total + rx);
}
