//! A pod's traffic by class: within the cluster, and for those that do more also beyond.

use protocol::{NetworkClass, Origin, PodNetwork, PodUsage};
use rand::{Rng as _, rngs::StdRng};

/// Packets from which a pod speaks with the world.
const BEYOND: i64 = 100;

/// Fills in a window's figures and gives their rows.
pub(super) fn live(usage: &mut PodUsage, rng: &mut StdRng, packets: i64) -> Vec<PodNetwork> {
    let beyond = match packets {
        ..BEYOND => 0,
        _ => (packets as f64 * rng.random_range(0.1..0.7)) as i64,
    };
    let rows: Vec<PodNetwork> = [
        (NetworkClass::Private, packets - beyond),
        (NetworkClass::Internet, beyond),
    ]
    .into_iter()
    .filter(|(_, packets)| *packets > 0)
    .map(|(class, packets)| row(usage, rng, class, packets))
    .collect();
    let sum = |of: fn(&PodNetwork) -> i64| rows.iter().map(of).sum::<i64>();
    let (tx, rx) = (sum(|row| row.tx_bytes_delta), sum(|row| row.rx_bytes_delta));
    usage.net_tx_bytes_delta = Some(tx);
    usage.net_rx_bytes_delta = Some(rx);
    usage.net_tx_packets_delta = Some(sum(|row| row.tx_packets_delta));
    usage.net_rx_packets_delta = Some(sum(|row| row.rx_packets_delta));
    usage.net_tx_bytes = usage.net_tx_bytes.map(|total| total + tx);
    usage.net_rx_bytes = usage.net_rx_bytes.map(|total| total + rx);
    rows
}

/// Who asks gets answers, though not one for one, and of another size.
fn row(usage: &PodUsage, rng: &mut StdRng, class: NetworkClass, packets: i64) -> PodNetwork {
    let received = (packets as f64 * rng.random_range(0.6..1.4)) as i64;
    let mut bytes = |packets: i64| {
        let size = rng.random_range(80.0..900.0_f64);
        (packets as f64 * size) as i64
    };
    PodNetwork {
        timestamp: usage.timestamp,
        pod_id: usage.pod_id.clone(),
        class,
        window_start: usage.window_start,
        window_end: usage.window_end,
        tx_bytes_delta: bytes(packets),
        tx_packets_delta: packets,
        rx_bytes_delta: bytes(received),
        rx_packets_delta: received,
        cgroup_id: usage.cgroup_id,
        namespace: usage.namespace.clone(),
        pod_name: usage.pod_name.clone(),
        origin: Origin::default(),
    }
}
