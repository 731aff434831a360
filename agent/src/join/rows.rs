//! Turns one cgroup's difference into its rows.

use protocol::{Closing, NetworkClass, Origin, PodNetwork, PodUsage, Row, Timestamp};

use super::{account::Account, balance::signed, counters::Counters, cpu_windows, pod::Throttling};
use crate::{
    cgroups::CpuStat,
    kernel::{Source, SourceState, Sources},
};

/// Id under which packets without a socket's cgroup are counted.
const NO_CGROUP: u64 = 0;

/// The window that rows are made for.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// Who writes.
    pub origin: &'a Origin,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Length on the boot clock.
    pub length_ns: u64,
    /// Number that the kernel's peaks carry.
    pub row_window: u32,
    /// CPUs that can run something; no peak is higher.
    pub online_cpus: usize,
    /// Kernel records lost in it.
    pub lost_events: u64,
    /// Which sources run.
    pub sources: &'a Sources,
}

/// The rows of one cgroup.
pub fn rows(
    window: &Window<'_>,
    id: u64,
    account: &Account,
    stat: Option<CpuStat>,
    (unreported, closing): (&Counters, Option<Closing>),
) -> Vec<Row> {
    let mut usage = blank(window, Some(id));
    (usage.pod_id, usage.workload_kind) = identity(id, account.path.as_deref());
    usage.workload = Some(usage.pod_id.clone());
    usage.is_final = closing == Some(Closing::Final);
    usage.closing = closing;
    fill_cpu(&mut usage, window, account, unreported);
    let mut throttling = Throttling::default();
    throttling.add(account.stat, stat);
    fill_throttling(&mut usage, &throttling);
    fill_network(&mut usage, window.sources, &account.current, unreported);
    if window.sources.is_active(Source::Oom) {
        usage.oom_kills = Some(signed(account.oom_kills));
    }
    let network: Vec<Row> = NetworkClass::ALL
        .into_iter()
        .zip(&unreported.network)
        .filter(|(_, traffic)| **traffic != [0; 4])
        .map(|(class, traffic)| class_row(window, &usage, class, traffic))
        .collect();
    std::iter::once(Row::PodUsage(usage))
        .chain(network)
        .collect()
}

/// The row of everything that no account could take.
pub fn unattributed(window: &Window<'_>, lost: &[u64; 5]) -> Row {
    let mut usage = blank(window, None);
    "unattributed".clone_into(&mut usage.pod_id);
    usage.workload_kind = Some("unattributed".to_owned());
    usage.workload = Some("unattributed".to_owned());
    usage.cpu_seconds = Some(seconds(lost[0]));
    usage.net_tx_bytes_delta = Some(signed(lost[1]));
    usage.net_tx_packets_delta = Some(signed(lost[2]));
    usage.net_rx_bytes_delta = Some(signed(lost[3]));
    usage.net_rx_packets_delta = Some(signed(lost[4]));
    Row::PodUsage(usage)
}

/// State of each source, as rows tell it.
pub fn source_states(sources: &Sources) -> Vec<String> {
    Source::ALL
        .into_iter()
        .map(|source| format!("{source}={}", source_state(sources, source)))
        .collect()
}

/// Where the figures of one source come from.
pub fn source_state(sources: &Sources, source: Source) -> &'static str {
    match sources.state(source) {
        SourceState::Active => "kernel",
        SourceState::Off => "off",
        SourceState::Absent(_) if source == Source::Cpu => "cpu.stat",
        SourceState::Absent(_) => "absent",
    }
}

/// A row without figures.
pub fn blank(window: &Window<'_>, id: Option<u64>) -> PodUsage {
    let origin = window.origin;
    PodUsage {
        timestamp: window.end,
        window_start: window.start,
        window_end: window.end,
        cluster_id: origin.cluster_id.clone(),
        node_name: origin.node_name.clone(),
        boot_id: origin.boot_id.clone(),
        epoch: origin.epoch.clone(),
        seq: signed(origin.seq),
        cgroup_id: id.map(signed),
        lost_events: signed(window.lost_events),
        sources: source_states(window.sources),
        ..PodUsage::default()
    }
}

/// Name and kind of a cgroup. Without a path the id is all there is.
pub fn identity(id: u64, path: Option<&str>) -> (String, Option<String>) {
    match path {
        _ if id == NO_CGROUP => ("kernel".to_owned(), Some("kernel".to_owned())),
        Some(path) => {
            let kind = [".service", ".scope", ".slice"]
                .into_iter()
                .find(|end| path.ends_with(end));
            (
                path.to_owned(),
                Some(kind.map_or("cgroup", |end| &end[1..]).to_owned()),
            )
        }
        None => (format!("cgroup:{id}"), Some("cgroup".to_owned())),
    }
}

/// CPU time and its mean over the window.
pub fn fill_cpu_time(usage: &mut PodUsage, window: &Window<'_>, run_ns: u64) {
    let length = seconds(window.length_ns);
    usage.cpu_seconds = Some(seconds(run_ns));
    usage.cpu_usage_cores = (length > 0.0).then(|| seconds(run_ns) / length);
}

/// A workload's windows of 100 ms.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// CPU time in the highest; nobody knows it of one whose last counters an earlier agent took.
    pub peak_ns: Option<u64>,
    /// All of them by their height.
    pub histogram: &'a [u32],
    /// CPU time in the row's window.
    pub run_ns: u64,
}

/// Peak and percentile.
pub fn fill_windows(usage: &mut PodUsage, window: &Window<'_>, windows: &Windows<'_>) {
    let Some(peak_ns) = windows.peak_ns else {
        return;
    };
    let most_ns = cpu_windows::WINDOW_NS.saturating_mul(window.online_cpus.max(1) as u64);
    let peak_ns = match windows.run_ns {
        0 => 0,
        // A tick tells its whole time at its end, so that a window can seem fuller than it can be.
        _ => peak_ns.min(most_ns),
    };
    usage.cpu_peak_cores = Some(cpu_windows::cores(peak_ns));
    let p99_ns = cpu_windows::quantile_ns(windows.histogram, window.length_ns, 0.99);
    usage.cpu_p99_cores = Some(cpu_windows::cores(p99_ns.min(peak_ns)));
}

fn fill_cpu(usage: &mut PodUsage, window: &Window<'_>, account: &Account, unreported: &Counters) {
    if window.sources.state(Source::Cpu) == &SourceState::Off {
        return;
    }
    fill_cpu_time(usage, window, unreported.run_ns);
    if window.sources.is_active(Source::Cpu) {
        let peak_ns = |cpu| cpu_windows::peak_ns(cpu, window.row_window);
        let windows = Windows {
            peak_ns: account.cpu.as_ref().map(peak_ns),
            histogram: &unreported.histogram,
            run_ns: unreported.run_ns,
        };
        fill_windows(usage, window, &windows);
    }
}

/// Throttling, where the cpu controller is on.
pub fn fill_throttling(usage: &mut PodUsage, throttling: &Throttling) {
    usage.cpu_throttled_seconds = throttling.throttled_us.map(|us| seconds(us * 1000));
    usage.cpu_throttled_periods = throttling.throttled_periods.map(signed);
    usage.cpu_burst_periods = throttling.burst_periods.map(signed);
}

fn fill_network(usage: &mut PodUsage, sources: &Sources, total: &Counters, unreported: &Counters) {
    if !sources.is_active(Source::Network) {
        return;
    }
    let [tx_bytes, _, rx_bytes, _] = total.traffic().map(signed);
    (usage.net_tx_bytes, usage.net_rx_bytes) = (Some(tx_bytes), Some(rx_bytes));
    fill_traffic(usage, unreported);
}

/// What came in the window.
pub fn fill_traffic(usage: &mut PodUsage, unreported: &Counters) {
    let [tx_bytes, tx_packets, rx_bytes, rx_packets] = unreported.traffic().map(signed);
    usage.net_tx_bytes_delta = Some(tx_bytes);
    usage.net_tx_packets_delta = Some(tx_packets);
    usage.net_rx_bytes_delta = Some(rx_bytes);
    usage.net_rx_packets_delta = Some(rx_packets);
}

/// The row of one class of traffic.
pub fn class_row(
    window: &Window<'_>,
    usage: &PodUsage,
    class: NetworkClass,
    traffic: &[u64; 4],
) -> Row {
    let [
        tx_bytes_delta,
        tx_packets_delta,
        rx_bytes_delta,
        rx_packets_delta,
    ] = traffic.map(signed);
    Row::PodNetwork(PodNetwork {
        timestamp: window.end,
        pod_id: usage.pod_id.clone(),
        namespace: usage.namespace.clone(),
        pod_name: usage.pod_name.clone(),
        class,
        window_start: window.start,
        window_end: window.end,
        tx_bytes_delta,
        tx_packets_delta,
        rx_bytes_delta,
        rx_packets_delta,
        cgroup_id: usage.cgroup_id,
        origin: window.origin.clone(),
    })
}

/// Nanoseconds as seconds.
pub fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
