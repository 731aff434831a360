//! What the tests of pods begin with: a pod of two containers, and what others tell of it.

use protocol::{NodeUsage, PodUsage, Row};

use super::{tests::*, *};
use crate::{
    kernel::CgroupEventKind,
    kubelet::{Cpu, Memory, Network, PodStats, Sample, Summary},
    pods::{PodFacts, PodStore},
};

pub(super) const UID: &str = "22c90f3f-8233-4cf3-bbe0-4a885e58f3d9";

pub(super) const POD: &str = "/kubepods.slice/kubepods-burstable.slice/\
    kubepods-burstable-pod22c90f3f_8233_4cf3_bbe0_4a885e58f3d9.slice";
pub(super) const FIRST: u64 = 101;

pub(super) const SECOND_CONTAINER: u64 = 102;
pub(super) const OWN: u64 = 100;

pub(super) fn container(letter: &str) -> String {
    format!("{POD}/cri-containerd-{}.scope", letter.repeat(64))
}

pub(super) fn told(kind: CgroupEventKind, cgroup_id: u64, path: &str) -> CgroupEvent {
    CgroupEvent {
        kind,
        cgroup_id,
        at_ns: 0,
        path: path.into(),
        path_cut: false,
    }
}

/// A ledger by pods that saw a pod of two containers being born.
pub(super) fn with_pod() -> Ledger {
    let mut ledger = ledger();
    ledger.by_pods();
    ledger.on_cgroup(told(CgroupEventKind::Born, OWN, POD));
    ledger.on_cgroup(told(CgroupEventKind::Born, FIRST, &container("a")));
    ledger.on_cgroup(told(
        CgroupEventKind::Born,
        SECOND_CONTAINER,
        &container("b"),
    ));
    ledger
}

/// What the kernel holds: run time and packets of 100 bytes of each cgroup.
pub(super) fn counted(seconds: u64, cgroups: &[(u64, u64, u64)]) -> Snapshot {
    let mut all = Snapshot {
        at_ns: seconds * SECOND,
        ..Snapshot::default()
    };
    for (id, run_ns, packets) in cgroups {
        let one = snapshot(seconds, *run_ns, *packets);
        all.cpu.insert(*id, one.cpu[&ID]);
        all.network.insert(*id, one.network[&ID]);
        all.cpu_totals.run_ns += run_ns;
        all.network_totals.total.tx_bytes += packets * 100;
        all.network_totals.total.tx_packets += packets;
    }
    all
}

pub(super) fn close_with(ledger: &mut Ledger, snapshot: &Snapshot, known: &Known<'_>) -> Vec<Row> {
    close_from(ledger, snapshot, known, &sources())
}

pub(super) fn close_from(
    ledger: &mut Ledger,
    snapshot: &Snapshot,
    known: &Known<'_>,
    sources: &Sources,
) -> Vec<Row> {
    ledger.observe(snapshot);
    ledger.close(&Reading {
        now: at(i64::try_from(snapshot.at_ns / SECOND).unwrap()),
        snapshot,
        stats: &HashMap::new(),
        sources,
        losses: &[],
        known,
    })
}

pub(super) fn only(rows: &[Row]) -> &PodUsage {
    let usages = usages(rows);
    assert_eq!(usages.len(), 1, "one row for the pod, not {usages:#?}");
    usages[0]
}

pub(super) fn store(host_network: bool) -> PodStore {
    let facts = PodFacts {
        uid: UID.into(),
        namespace: "demo".into(),
        name: "web-1".into(),
        host_network,
        requests_cpu_millicores: Some(100),
        ..PodFacts::default()
    };
    let mut store = PodStore::default();
    store.apply(facts);
    store
}

/// What the kubelet told at `seconds`: CPU time, bytes sent, memory in use.
pub(super) fn sample(seconds: i64, usage_core_ns: u64, tx_bytes: u64, memory: u64) -> Sample {
    let time = at(seconds);
    Sample {
        summary: Summary {
            pods: vec![PodStats {
                uid: UID.into(),
                namespace: "demo".into(),
                name: "web-1".into(),
                start_time: Some(at(-100)),
                cpu: Some(Cpu {
                    time,
                    usage_core_ns,
                    usage_nano_cores: Some(250_000_000),
                }),
                memory: Some(Memory {
                    time,
                    usage_bytes: Some(memory),
                    ..Memory::default()
                }),
                network: Some(Network {
                    time,
                    tx_bytes: Some(tx_bytes),
                    rx_bytes: Some(7),
                }),
                ..PodStats::default()
            }],
            ..Summary::default()
        },
        taken_at_ns: 0,
        round_trip: std::time::Duration::ZERO,
        bytes: 0,
    }
}

pub(super) fn end_all(ledger: &mut Ledger, kind: CgroupEventKind) {
    ledger.on_cgroup(told(kind, FIRST, &container("a")));
    ledger.on_cgroup(told(kind, SECOND_CONTAINER, &container("b")));
    ledger.on_cgroup(told(kind, OWN, POD));
}

pub(super) fn node(rows: &[Row]) -> &NodeUsage {
    let node = rows.iter().find_map(|row| match row {
        Row::NodeUsage(node) => Some(node),
        _ => None,
    });
    node.expect("a row of the node")
}
