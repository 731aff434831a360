//! Turns what is known of one pod into its rows.

use protocol::{Closing, NetworkClass, PodUsage, Row};

use super::{
    balance::signed,
    cpu_windows,
    known::Known,
    pod::{NamedBy, Pod, PodGroup},
    rows::{self, Window, seconds},
    sample::Since,
};
use crate::{
    cgroups::CgroupFiles,
    kernel::{Source, SourceState},
    kubelet::PodStats,
};

/// Everything that one pod's rows are made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Its uid as its cgroup carries it.
    pub uid: &'a str,
    /// What the ledger holds.
    pub pod: &'a Pod,
    /// What its cgroups hold.
    pub group: &'a PodGroup,
    /// The kubelet's sample.
    pub stats: Option<&'a PodStats>,
    /// What came since the kubelet's sample before.
    pub since: Since,
    /// Its cgroup's files.
    pub files: Option<&'a CgroupFiles>,
    /// Which of its last rows this is.
    pub closing: Option<Closing>,
}

/// The rows of one pod.
pub fn rows(window: &Window<'_>, known: &Known<'_>, parts: &Parts<'_>) -> Vec<Row> {
    let mut usage = rows::blank(window, parts.pod.cgroup_id);
    usage.sources.clear();
    usage.is_final = parts.closing == Some(Closing::Final);
    usage.closing = parts.closing;
    name(&mut usage, parts);
    place(&mut usage, known);
    cpu(&mut usage, window, parts);
    memory(&mut usage, parts);
    network(&mut usage, window, parts);
    io(&mut usage, parts);
    pressure(&mut usage, parts.since);
    if window.sources.is_active(Source::Oom) {
        usage.oom_kills = Some(signed(parts.group.oom_kills));
    }
    tell(
        &mut usage,
        "oom",
        rows::source_state(window.sources, Source::Oom),
    );
    tell(
        &mut usage,
        "lifecycle",
        rows::source_state(window.sources, Source::Lifecycle),
    );
    let classes: Vec<Row> = NetworkClass::ALL
        .into_iter()
        .zip(&parts.group.unreported.network)
        .filter(|(_, traffic)| **traffic != [0; 4])
        .map(|(class, traffic)| rows::class_row(window, &usage, class, traffic))
        .collect();
    std::iter::once(Row::PodUsage(usage))
        .chain(classes)
        .collect()
}

fn tell(usage: &mut PodUsage, figure: &str, source: &str) {
    usage.sources.push(format!("{figure}={source}"));
}

fn name(usage: &mut PodUsage, parts: &Parts<'_>) {
    tell(usage, "name", parts.pod.named_by.name());
    parts.uid.clone_into(&mut usage.pod_id);
    usage.qos.clone_from(&parts.pod.qos);
    let Some(identity) = &parts.pod.identity else {
        usage.workload_kind = Some("Pod".to_owned());
        usage.workload = Some(parts.uid.to_owned());
        return;
    };
    usage.pod_id.clone_from(&identity.uid);
    usage.namespace = Some(identity.namespace.clone());
    usage.pod_name = Some(identity.name.clone());
    usage.owner.clone_from(&identity.owner);
    usage.qos = identity.qos.clone().or_else(|| parts.pod.qos.clone());
    usage.host_network = identity.host_network;
    usage.workload_kind.clone_from(&identity.workload_kind);
    usage.workload.clone_from(&identity.workload);
    usage.requests_cpu_millicores = identity.requests_cpu_millicores;
    usage.requests_memory_bytes = identity.requests_memory_bytes;
    usage.limits_cpu_millicores = identity.limits_cpu_millicores;
    usage.limits_memory_bytes = identity.limits_memory_bytes;
    if parts.pod.named_by == NamedBy::Api {
        usage.restarts = Some(signed(parts.pod.restarts));
    }
}

fn place(usage: &mut PodUsage, known: &Known<'_>) {
    let Some((instance, source)) = known.instance else {
        return;
    };
    usage.ec2_instance_id.clone_from(&instance.instance_id);
    usage.instance_type.clone_from(&instance.instance_type);
    usage.zone.clone_from(&instance.zone);
    usage.region.clone_from(&instance.region);
    tell(usage, "instance", source);
}

/// From the kernel, else from `cpu.stat`, else from the kubelet.
fn cpu(usage: &mut PodUsage, window: &Window<'_>, parts: &Parts<'_>) {
    let state = window.sources.state(Source::Cpu);
    let counted = parts.pod.has_cgroups && state != &SourceState::Off;
    if !counted {
        if let Some(ns) = parts.since.cpu_ns {
            usage.cpu_seconds = Some(seconds(ns));
            let cores = |length: f64| (length > 0.0).then(|| seconds(ns) / length);
            usage.cpu_usage_cores = parts.since.seconds.and_then(cores);
        }
        if usage.cpu_usage_cores.is_none() {
            let nano_cores = parts.stats.and_then(|stats| stats.cpu?.usage_nano_cores);
            usage.cpu_usage_cores = nano_cores.map(seconds);
        }
        let source = match usage.cpu_usage_cores {
            // The sample of the window before once more: what it adds comes with the next.
            Some(_) if parts.since.seconds == Some(0.0) => "kubelet_stale",
            Some(_) => "kubelet",
            None => rows::source_state(window.sources, Source::Cpu),
        };
        return tell(usage, "cpu", source);
    }
    tell(
        usage,
        "cpu",
        rows::source_state(window.sources, Source::Cpu),
    );
    let unreported = &parts.group.unreported;
    rows::fill_cpu_time(usage, window, unreported.run_ns);
    if window.sources.is_active(Source::Cpu) {
        let windows = rows::Windows {
            peak_ns: parts.group.has_windows.then_some(parts.group.peak_ns),
            histogram: &unreported.histogram,
            run_ns: unreported.run_ns,
        };
        rows::fill_windows(usage, window, &windows);
        usage.cpu_over_request_seconds = usage
            .requests_cpu_millicores
            .filter(|request| *request > 0)
            .map(|request| {
                let request_ns = request
                    .unsigned_abs()
                    .saturating_mul(cpu_windows::WINDOW_NS / 1000);
                // An estimate from a histogram is worth no more than thousandths.
                let above_us = cpu_windows::above_ns(&unreported.histogram, request_ns) / 1000;
                (above_us.saturating_add(500) / 1000) as f64 / 1e3
            });
    }
    rows::fill_throttling(usage, &parts.group.throttling);
}

/// From the kubelet, else from the cgroup's files.
fn memory(usage: &mut PodUsage, parts: &Parts<'_>) {
    let files = parts.files;
    usage.memory_peak_bytes = files.and_then(|files| files.memory_peak_bytes).map(signed);
    let stats = parts.stats.and_then(|stats| stats.memory);
    if let Some(memory) =
        stats.filter(|memory| memory.usage_bytes.or(memory.working_set_bytes).is_some())
    {
        usage.memory_usage_bytes = memory.usage_bytes.map(signed);
        usage.memory_working_set_bytes = memory.working_set_bytes.map(signed);
        usage.memory_rss_bytes = memory.rss_bytes.map(signed);
        usage.swap_usage_bytes = parts
            .stats
            .and_then(|stats| stats.swap_usage_bytes)
            .map(signed);
        let source = if parts.since.is_stale {
            "kubelet_stale"
        } else {
            "kubelet"
        };
        return tell(usage, "memory", source);
    }
    let Some(files) = files.filter(|files| files.memory_current_bytes.is_some()) else {
        return tell(usage, "memory", "absent");
    };
    usage.memory_usage_bytes = files.memory_current_bytes.map(signed);
    usage.memory_working_set_bytes = files.working_set_bytes().map(signed);
    usage.memory_rss_bytes = files.memory_anon_bytes.map(signed);
    usage.swap_usage_bytes = files.swap_current_bytes.map(signed);
    tell(usage, "memory", "cgroup");
}

/// What the kernel counted; the kubelet's figures only where they are the pod's and not the node's.
fn network(usage: &mut PodUsage, window: &Window<'_>, parts: &Parts<'_>) {
    let is_own = usage.host_network == Some(false);
    let kubelet = parts
        .stats
        .and_then(|stats| stats.network)
        .filter(|_| is_own);
    let counted = window.sources.is_active(Source::Network) && parts.pod.has_cgroups;
    let [tx, rx] = parts.pod.traffic.map(signed);
    let totals = kubelet.and_then(|network| Some((network.tx_bytes?, network.rx_bytes?)));
    if let Some((tx_bytes, rx_bytes)) = totals {
        (usage.net_tx_bytes, usage.net_rx_bytes) = (Some(signed(tx_bytes)), Some(signed(rx_bytes)));
        tell(usage, "network_total", "kubelet");
    } else if counted {
        (usage.net_tx_bytes, usage.net_rx_bytes) = (Some(tx), Some(rx));
        tell(usage, "network_total", "kernel");
    }
    if counted {
        rows::fill_traffic(usage, &parts.group.unreported);
        return tell(usage, "network", "kernel");
    }
    let Some([tx_bytes, rx_bytes]) = parts.since.network.filter(|_| is_own) else {
        return tell(
            usage,
            "network",
            rows::source_state(window.sources, Source::Network),
        );
    };
    usage.net_tx_bytes_delta = Some(signed(tx_bytes));
    usage.net_rx_bytes_delta = Some(signed(rx_bytes));
    tell(usage, "network", "kubelet");
}

/// From `io.stat`.
fn io(usage: &mut PodUsage, parts: &Parts<'_>) {
    let Some((read, written)) = parts.files.and_then(io_bytes) else {
        return;
    };
    let (read_before, written_before) = parts.pod.io.unwrap_or((read, written));
    usage.io_read_bytes_delta = Some(signed(read.saturating_sub(read_before)));
    usage.io_write_bytes_delta = Some(signed(written.saturating_sub(written_before)));
    tell(usage, "io", "cgroup");
}

/// Bytes read and written so far.
pub fn io_bytes(files: &CgroupFiles) -> Option<(u64, u64)> {
    Some((files.io_read_bytes?, files.io_written_bytes?))
}

fn pressure(usage: &mut PodUsage, since: Since) {
    if since.psi_us == [None; 6] {
        return;
    }
    let in_seconds = |us: Option<u64>| us.map(|us| us as f64 / 1e6);
    let [
        cpu_some,
        cpu_full,
        memory_some,
        memory_full,
        io_some,
        io_full,
    ] = since.psi_us.map(in_seconds);
    (usage.psi_cpu_some_seconds, usage.psi_cpu_full_seconds) = (cpu_some, cpu_full);
    (usage.psi_memory_some_seconds, usage.psi_memory_full_seconds) = (memory_some, memory_full);
    (usage.psi_io_some_seconds, usage.psi_io_full_seconds) = (io_some, io_full);
    tell(usage, "pressure", "kubelet");
}
