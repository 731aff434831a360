//! From the kubelet's fields to ours; what can't be used is noted and left out.

use protocol::Timestamp;
use serde_json::value::RawValue;

use super::{
    lenient::{Oddities, Part, Raw, string},
    summary::{Cpu, Memory, Network, NodeStats, PodStats, Psi},
    wire,
};

/// Kubernetes' own limit for names.
const MOST_NAME_BYTES: usize = 253;
const MOST_UID_BYTES: usize = 128;
const MOST_CONTAINERS: usize = 1_000;

pub(super) fn node(node: wire::Node<'_>, odd: &mut Oddities) -> NodeStats {
    let mut psi = Psi::default();
    let cpu = odd.part(".cpu", node.cpu);
    let memory = odd.part(".memory", node.memory);
    NodeStats {
        node_name: node
            .name
            .and_then(|raw| name(".nodeName", raw, MOST_NAME_BYTES, odd)),
        start_time: odd.time([".startTime", ""], node.start_time),
        cpu: cpu.and_then(|cpu| cpu_of(".cpu", cpu, odd, &mut psi)),
        memory: memory.and_then(|memory| memory_of(".memory", memory, odd, &mut psi)),
        network: network_of(node.network, odd),
        swap_usage_bytes: swap_of(node.swap, odd),
        psi: with_io(psi, node.io, odd),
    }
}

/// None for an entry that is no pod.
pub(super) fn pod(pod: wire::Pod<'_>, odd: &mut Oddities) -> Option<PodStats> {
    let reference = odd.part(
        ".podRef",
        match pod.reference {
            Part::Absent => Part::Odd,
            reference => reference,
        },
    )?;
    let mut psi = Psi::default();
    let mut stats = PodStats {
        uid: required(".podRef.uid", reference.uid, MOST_UID_BYTES, odd)?,
        namespace: required(
            ".podRef.namespace",
            reference.namespace,
            MOST_NAME_BYTES,
            odd,
        )?,
        name: required(".podRef.name", reference.name, MOST_NAME_BYTES, odd)?,
        start_time: odd.time([".startTime", ""], pod.start_time),
        network: network_of(pod.network, odd),
        swap_usage_bytes: swap_of(pod.swap, odd),
        ..PodStats::default()
    };
    let has_both = matches!((&pod.cpu, &pod.memory), (Part::Is(_), Part::Is(_)));
    let is_cpu_absent = matches!(pod.cpu, Part::Absent);
    let is_memory_absent = matches!(pod.memory, Part::Absent);
    let cpu = odd.part(".cpu", pod.cpu);
    stats.cpu = cpu.and_then(|cpu| cpu_of(".cpu", cpu, odd, &mut psi));
    let memory = odd.part(".memory", pod.memory);
    stats.memory = memory.and_then(|memory| memory_of(".memory", memory, odd, &mut psi));
    if !has_both && let Some(containers) = pod.containers {
        let sums = sum(containers, odd);
        if is_cpu_absent {
            stats.cpu = sums.cpu;
            stats.is_cpu_summed = stats.cpu.is_some();
        }
        if is_memory_absent {
            stats.memory = sums.memory;
        }
    }
    stats.psi = with_io(psi, pod.io, odd);
    let storage = odd.part(".ephemeral-storage", pod.storage);
    stats.ephemeral_storage_used_bytes = storage
        .and_then(|storage| odd.count([".ephemeral-storage", ".usedBytes"], storage.used_bytes));
    Some(stats)
}

fn name(path: &'static str, raw: &RawValue, most: usize, odd: &mut Oddities) -> Option<String> {
    let text = string(raw).filter(|text| {
        !text.is_empty() && text.len() <= most && !text.contains(|c: char| c.is_control())
    });
    if text.is_none() {
        odd.value([path, ""], raw);
    }
    text.map(String::from)
}

fn required(path: &'static str, raw: Raw<'_>, most: usize, odd: &mut Oddities) -> Option<String> {
    let Some(raw) = raw else {
        odd.note(path, "is missing");
        return None;
    };
    name(path, raw, most, odd)
}

/// A sample without its time can't be told from an old one: it is none.
fn sampled(path: &'static str, raw: Raw<'_>, odd: &mut Oddities) -> Option<Timestamp> {
    if raw.is_none() {
        odd.note(path, "has no time");
    }
    odd.time([path, ".time"], raw)
}

fn cpu_of(
    path: &'static str,
    cpu: wire::Cpu<'_>,
    odd: &mut Oddities,
    psi: &mut Psi,
) -> Option<Cpu> {
    (psi.cpu_some_us, psi.cpu_full_us) = stalls(path, cpu.psi, odd);
    let time = sampled(path, cpu.time, odd)?;
    let usage_nano_cores = odd.count([path, ".usageNanoCores"], cpu.usage_nano_cores);
    Some(Cpu {
        time,
        usage_core_ns: odd.count([path, ".usageCoreNanoSeconds"], cpu.usage_core_ns)?,
        usage_nano_cores,
    })
}

fn memory_of(
    path: &'static str,
    memory: wire::Memory<'_>,
    odd: &mut Oddities,
    psi: &mut Psi,
) -> Option<Memory> {
    (psi.memory_some_us, psi.memory_full_us) = stalls(path, memory.psi, odd);
    Some(Memory {
        time: sampled(path, memory.time, odd)?,
        usage_bytes: odd.count([path, ".usageBytes"], memory.usage_bytes),
        working_set_bytes: odd.count([path, ".workingSetBytes"], memory.working_set_bytes),
        rss_bytes: odd.count([path, ".rssBytes"], memory.rss_bytes),
    })
}

fn network_of(network: Part<wire::Network<'_>>, odd: &mut Oddities) -> Option<Network> {
    let network = odd.part(".network", network)?;
    Some(Network {
        time: sampled(".network", network.time, odd)?,
        tx_bytes: odd.count([".network", ".txBytes"], network.tx_bytes),
        rx_bytes: odd.count([".network", ".rxBytes"], network.rx_bytes),
    })
}

fn swap_of(swap: Part<wire::Swap<'_>>, odd: &mut Oddities) -> Option<u64> {
    let swap = odd.part(".swap", swap)?;
    odd.count([".swap", ".swapUsageBytes"], swap.usage_bytes)
}

fn with_io(mut psi: Psi, io: Part<wire::Io<'_>>, odd: &mut Oddities) -> Option<Psi> {
    if let Some(io) = odd.part(".io", io) {
        (psi.io_some_us, psi.io_full_us) = stalls(".io", io.psi, odd);
    }
    (psi != Psi::default()).then_some(psi)
}

/// Totals of some and full.
fn stalls(
    path: &'static str,
    psi: Part<wire::Pressure<'_>>,
    odd: &mut Oddities,
) -> (Option<u64>, Option<u64>) {
    let Some(psi) = odd.part(path, psi) else {
        return (None, None);
    };
    let some = odd.part(path, psi.some);
    let full = odd.part(path, psi.full);
    (
        some.and_then(|stall| odd.count([path, ".psi.some.total"], stall.total)),
        full.and_then(|stall| odd.count([path, ".psi.full.total"], stall.total)),
    )
}

#[derive(Default)]
struct Sums {
    cpu: Option<Cpu>,
    memory: Option<Memory>,
}

fn sum(containers: &RawValue, odd: &mut Oddities) -> Sums {
    let mut sums = Sums::default();
    let containers: Vec<Part<wire::Container<'_>>> = match serde_json::from_str(containers.get()) {
        Ok(containers) => containers,
        Err(_) => {
            odd.value([".containers", ""], containers);
            return sums;
        }
    };
    let mut psi = Psi::default();
    for container in containers.into_iter().take(MOST_CONTAINERS) {
        let Some(container) = odd.part(".containers[]", container) else {
            continue;
        };
        let cpu = odd.part(".containers[].cpu", container.cpu);
        if let Some(cpu) = cpu.and_then(|cpu| cpu_of(".containers[].cpu", cpu, odd, &mut psi)) {
            sums.cpu = Some(sums.cpu.map_or(cpu, |sum| add_cpu(sum, cpu)));
        }
        let memory = odd.part(".containers[].memory", container.memory);
        let memory =
            memory.and_then(|memory| memory_of(".containers[].memory", memory, odd, &mut psi));
        if let Some(memory) = memory {
            sums.memory = Some(sums.memory.map_or(memory, |sum| add_memory(sum, memory)));
        }
    }
    sums
}

fn add(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    left?.checked_add(right?)
}

fn add_cpu(left: Cpu, right: Cpu) -> Cpu {
    Cpu {
        time: left.time.max(right.time),
        // Two honest counters are far from this; the next difference is then none.
        usage_core_ns: left.usage_core_ns.saturating_add(right.usage_core_ns),
        usage_nano_cores: add(left.usage_nano_cores, right.usage_nano_cores),
    }
}

fn add_memory(left: Memory, right: Memory) -> Memory {
    Memory {
        time: left.time.max(right.time),
        usage_bytes: add(left.usage_bytes, right.usage_bytes),
        working_set_bytes: add(left.working_set_bytes, right.working_set_bytes),
        rss_bytes: add(left.rss_bytes, right.rss_bytes),
    }
}
