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
        memory(chance, usages);
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

/// Told of another column in every row: equal, above it, below it, or both.
fn memory(chance: &mut Chance, usages: &mut [PodUsage]) {
    let far = [0..1, 0..3, -50..1, -9..9, 7..8][chance.below(5) as usize].clone();
    let page = [1, 3, 4096, i64::MAX][chance.below(4) as usize];
    for usage in usages {
        let mut near =
            |of: i64| of.wrapping_add(page.wrapping_mul(chance.rng.random_range(far.clone())));
        let all = *usage.memory_usage_bytes.get_or_insert(4096);
        let working_set = *usage.memory_working_set_bytes.insert(near(all));
        usage.memory_rss_bytes = Some(near(working_set));
        usage.memory_peak_bytes = Some(near(all));
    }
}
