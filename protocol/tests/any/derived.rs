//! What columns tell of others: exactly, or but for one row.

use protocol::{PodNetwork, PodUsage};
use rand::Rng as _;

use super::Chance;

/// Relates some columns. Those that are absent in a row stay so.
pub fn relate(chance: &mut Chance, usages: &mut [PodUsage], networks: &mut [PodNetwork]) {
    if usages.is_empty() {
        return;
    }
    if chance.below(2) == 0 {
        for network in &mut *networks {
            own(chance, network, usages);
        }
    }
    if chance.below(2) == 0 {
        sums(usages, networks);
    }
    if chance.below(2) == 0 {
        for usage in &mut *usages {
            let quotient = usage.cpu_seconds.map(|seconds| seconds / 29.999_871_3);
            usage.cpu_usage_cores = usage.cpu_usage_cores.and(quotient);
        }
    }
    if chance.below(2) == 0 {
        return;
    }
    // What holds in all rows but one is told in none.
    let at = chance.rng.random_range(0..usages.len());
    let usage = &mut usages[at];
    match chance.below(4) {
        0 => usage.net_rx_bytes_delta = usage.net_rx_bytes_delta.map(|sum| sum ^ 1),
        1 => usage.cpu_usage_cores = usage.cpu_usage_cores.map(|cores| cores * 0.5),
        2 => usage.cgroup_id = None,
        _ => usage.pod_id.push('x'),
    }
}

/// The row of a pod has what the pod's last row has.
fn own(chance: &mut Chance, network: &mut PodNetwork, usages: &[PodUsage]) {
    let pod = chance.rng.random_range(0..usages.len());
    network.pod_id.clone_from(&usages[pod].pod_id);
    let mut last = usages.iter().rev();
    let Some(usage) = last.find(|usage| usage.pod_id == network.pod_id) else {
        return;
    };
    network.cgroup_id = network.cgroup_id.and(usage.cgroup_id);
    network.namespace = network.namespace.take().and(usage.namespace.clone());
    network.pod_name = network.pod_name.take().and(usage.pod_name.clone());
}

fn sums(usages: &mut [PodUsage], networks: &[PodNetwork]) {
    for usage in usages {
        let own = || {
            let networks = networks.iter();
            networks.filter(|network| network.pod_id == usage.pod_id)
        };
        let sum = |part: fn(&PodNetwork) -> i64| own().map(part).fold(0, i64::wrapping_add);
        let sums = [
            sum(|row| row.tx_bytes_delta),
            sum(|row| row.tx_packets_delta),
            sum(|row| row.rx_bytes_delta),
            sum(|row| row.rx_packets_delta),
        ];
        usage.net_tx_bytes_delta = usage.net_tx_bytes_delta.map(|_| sums[0]);
        usage.net_tx_packets_delta = usage.net_tx_packets_delta.map(|_| sums[1]);
        usage.net_rx_bytes_delta = usage.net_rx_bytes_delta.map(|_| sums[2]);
        usage.net_rx_packets_delta = usage.net_rx_packets_delta.map(|_| sums[3]);
    }
}
