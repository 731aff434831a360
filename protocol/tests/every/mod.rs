//! One row of each table with every column filled, and beside those of pods others that differ, so
//! that every way of packing a column is used. Written in full: a golden file has no shortcuts.

use bytes::Bytes;
use protocol::{
    Ack, Answer, Balance, Closing, Counts, Epoch, Event, EventKind, Gap, GapReason, Header,
    Message, NetworkClass, NodeUsage, Origin, PodNetwork, PodUsage, Previous, Reconcile, Row,
    Table, Timestamp,
};

pub fn header() -> Header {
    Header {
        cluster: "cluster".to_owned(),
        node: "node".to_owned(),
        boot_id: "5a3ad2b4-0000-4000-8000-0123456789ab".to_owned(),
        epoch: Epoch([7; 16]),
        seq: 1,
        previous: Some(Previous {
            epoch: Epoch([6; 16]),
            last: 4711,
        }),
        window_start: Timestamp {
            unix_us: 1_760_000_000_000_000,
        },
        window_end: Timestamp {
            unix_us: 1_760_000_030_000_412,
        },
    }
}

pub fn gap() -> Gap {
    let mut rows_lost = Counts::default();
    for (table, rows) in Table::ALL.into_iter().zip([110, 130, 1, 0, 1]) {
        rows_lost[table] = rows;
    }
    Gap {
        reason: GapReason::SpoolFull,
        message: "no room".to_owned(),
        rows_lost,
    }
}

pub fn message() -> Message {
    Message {
        node: "node".to_owned(),
        batches: vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")],
        asks: vec![Epoch([6; 16])],
    }
}

pub fn ack() -> Ack {
    let answer = Answer {
        epoch: Epoch([7; 16]),
        received: 300,
        committed: 299,
        expect: Some(301),
    };
    let none = Answer {
        epoch: Epoch([6; 16]),
        received: 0,
        committed: 0,
        expect: None,
    };
    Ack {
        instance: Epoch([5; 16]),
        table_id: "b2f1".to_owned(),
        answers: vec![answer, none],
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = pods();
    rows.extend([
        Row::PodNetwork(network(NetworkClass::Internet)),
        Row::PodNetwork(network(NetworkClass::Node)),
        Row::NodeUsage(node_usage()),
        Row::Events(event()),
        Row::Reconcile(reconcile()),
    ]);
    rows
}

/// The first has every column.
fn pods() -> Vec<Row> {
    let mut first = pod_usage();
    let summed = network(NetworkClass::Node);
    first.pod_id = summed.pod_id;
    first.net_tx_bytes_delta = Some(summed.tx_bytes_delta * 2);
    first.net_tx_packets_delta = Some(summed.tx_packets_delta * 2);
    first.cpu_usage_cores = first.cpu_seconds.map(|seconds| seconds / 30.000_412_337);
    let mut second = first.clone();
    second.pod_id = "e4a1c6de-0a55-4a7e-9c1f-3f1d5a0b7c22".to_owned();
    second.net_tx_bytes_delta = Some(0);
    second.net_tx_packets_delta = None;
    second.cpu_seconds = Some(0.000_000_001);
    second.cpu_usage_cores = Some(0.000_000_001 / 30.000_412_337);
    second.cpu_peak_cores = Some(1.0 / 3.0);
    second.memory_usage_bytes = Some(-1);
    second.memory_rss_bytes = Some(i64::MAX);
    second.limits_memory_bytes = Some(3 << 20);
    second.labels = None;
    second.annotations = Some(Vec::new());
    second.pvc_count = Some(-2);
    second.is_final = false;
    second.closing = None;
    let mut third = PodUsage {
        pod_id: "kernel".to_owned(),
        timestamp: second.timestamp.plus_us(-5),
        window_start: second.window_start,
        window_end: second.window_end,
        limits_memory_bytes: Some(5 << 20),
        cgroup_id: Some(0),
        ..PodUsage::default()
    };
    third
        .cpu_throttled_periods
        .clone_from(&first.cpu_throttled_periods);
    vec![
        Row::PodUsage(first),
        Row::PodUsage(second),
        Row::PodUsage(third),
    ]
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const fn balance(from: i64) -> Balance {
    Balance {
        total: from + 4,
        rows: from + 3,
        unattributed: from + 2,
        in_flight: from + 1,
    }
}

fn pod_usage() -> PodUsage {
    let header = header();
    PodUsage {
        timestamp: header.window_end,
        ec2_instance_id: Some("ec2-instance-id".to_owned()),
        pod_id: "pod-id".to_owned(),
        namespace: Some("namespace".to_owned()),
        owner: Some("owner".to_owned()),
        cpu_usage_cores: Some(8.33),
        memory_usage_bytes: Some(1333),
        net_tx_bytes: Some(1370),
        net_rx_bytes: Some(1407),
        requests_cpu_millicores: Some(1444),
        requests_memory_bytes: Some(1481),
        limits_cpu_millicores: Some(1518),
        limits_memory_bytes: Some(1555),
        labels: Some(texts(&["labels=1", "b=16"])),
        annotations: Some(texts(&["annotations=1", "b=17"])),
        pvc_count: Some(18),
        total_pvc_storage_bytes: Some(1703),
        pvc_names: Some(texts(&["pvc_names=1", "b=20"])),
        aws_volume_ids: Some(texts(&["aws_volume_ids=1", "b=21"])),
        window_start: header.window_start,
        window_end: header.window_end,
        is_final: true,
        host_network: Some(true),
        qos: Some("qos".to_owned()),
        workload_kind: Some("workload-kind".to_owned()),
        workload: Some("workload".to_owned()),
        zone: Some("zone".to_owned()),
        region: Some("region".to_owned()),
        instance_type: Some("instance-type".to_owned()),
        cpu_seconds: Some(32.57),
        cpu_peak_cores: Some(33.58),
        cpu_p99_cores: Some(34.59),
        cpu_over_request_seconds: Some(35.60),
        cpu_throttled_seconds: Some(36.61),
        cpu_throttled_periods: Some(2369),
        cpu_burst_periods: Some(2406),
        memory_working_set_bytes: Some(2443),
        memory_rss_bytes: Some(2480),
        memory_peak_bytes: Some(2517),
        oom_kills: Some(2554),
        restarts: Some(2591),
        net_tx_bytes_delta: Some(2628),
        net_tx_packets_delta: Some(2665),
        net_rx_bytes_delta: Some(2702),
        net_rx_packets_delta: Some(2739),
        io_read_bytes_delta: Some(2776),
        io_write_bytes_delta: Some(2813),
        sources: texts(&["sources=1", "b=50"]),
        lost_events: 2887,
        cgroup_id: Some(3035),
        closing: Some(Closing::Final),
        pod_name: Some("pod-name".to_owned()),
        swap_usage_bytes: Some(3146),
        psi_cpu_some_seconds: Some(59.84),
        psi_cpu_full_seconds: Some(60.85),
        psi_memory_some_seconds: Some(61.86),
        psi_memory_full_seconds: Some(62.87),
        psi_io_some_seconds: Some(63.88),
        psi_io_full_seconds: Some(64.89),
        ..PodUsage::default()
    }
}

fn network(class: NetworkClass) -> PodNetwork {
    let header = header();
    PodNetwork {
        timestamp: header.window_end,
        pod_id: "0d9f2c6e-7b1a-4c53-8f0e-6a2b4d8c1e35".to_owned(),
        class,
        window_start: header.window_start,
        window_end: header.window_end,
        tx_bytes_delta: 1222,
        tx_packets_delta: 1259,
        rx_bytes_delta: 1296,
        rx_packets_delta: 1333,
        cgroup_id: Some(1370),
        namespace: Some("namespace".to_owned()),
        pod_name: Some("pod-name".to_owned()),
        origin: Origin::default(),
    }
}

fn node_usage() -> NodeUsage {
    let header = header();
    NodeUsage {
        timestamp: header.window_end,
        window_start: header.window_start,
        window_end: header.window_end,
        ec2_instance_id: Some("ec2-instance-id".to_owned()),
        instance_type: Some("instance-type".to_owned()),
        zone: Some("zone".to_owned()),
        zone_id: Some("zone-id".to_owned()),
        region: Some("region".to_owned()),
        capacity_type: Some("capacity-type".to_owned()),
        kernel_version: Some("kernel-version".to_owned()),
        cpus: Some(1407),
        cpu_usage_cores: Some(12.37),
        cpu_user_seconds: Some(13.38),
        cpu_system_seconds: Some(14.39),
        cpu_idle_seconds: Some(15.40),
        cpu_iowait_seconds: Some(16.41),
        cpu_steal_seconds: Some(17.42),
        load_1: Some(18.43),
        load_5: Some(19.44),
        load_15: Some(20.45),
        memory_total_bytes: Some(1777),
        memory_available_bytes: Some(1814),
        memory_working_set_bytes: Some(1851),
        swap_total_bytes: Some(1888),
        swap_usage_bytes: Some(1925),
        psi_cpu_some_seconds: Some(26.51),
        psi_memory_some_seconds: Some(27.52),
        psi_memory_full_seconds: Some(28.53),
        psi_io_some_seconds: Some(29.54),
        psi_io_full_seconds: Some(30.55),
        nic_tx_bytes: Some(2147),
        nic_tx_packets: Some(2184),
        nic_tx_dropped: Some(2221),
        nic_rx_bytes: Some(2258),
        nic_rx_packets: Some(2295),
        nic_rx_dropped: Some(2332),
        nics: Some(texts(&["nics=1", "b=37"])),
        pods: Some(2406),
        uptime_seconds: Some(39.64),
        sources: texts(&["sources=1", "b=40"]),
        origin: Origin::default(),
    }
}

fn event() -> Event {
    let header = header();
    Event {
        timestamp: header.window_end,
        kind: EventKind::OomKill,
        pod_id: Some("pod-id".to_owned()),
        message: "message".to_owned(),
        incident: Some(12),
        outcome: Some("outcome".to_owned()),
        pid: Some(1259),
        comm: Some("comm".to_owned()),
        peak_rss_bytes: Some(1333),
        allocator_pid: Some(1370),
        cgroup_id: Some(1407),
        container: Some("container".to_owned()),
        reason: Some("reason".to_owned()),
        exit_code: Some(1518),
        namespace: Some("namespace".to_owned()),
        pod_name: Some("pod-name".to_owned()),
        origin: Origin::default(),
    }
}

fn reconcile() -> Reconcile {
    let header = header();
    Reconcile {
        timestamp: header.window_end,
        window_start: header.window_start,
        window_end: header.window_end,
        rows_pod_usage: 3,
        rows_pod_network: 2,
        rows_events: 1,
        rows_node_usage: 1,
        cpu_ns: balance(8000),
        net_tx_bytes: balance(9000),
        net_tx_packets: balance(10000),
        net_rx_bytes: balance(11000),
        net_rx_packets: balance(12000),
        losses: texts(&["losses=1", "b=13"]),
        sources: texts(&["sources=1", "b=14"]),
        nic_tx_bytes: Some(1555),
        nic_tx_packets: Some(1592),
        nic_rx_bytes: Some(1629),
        nic_rx_packets: Some(1666),
        proc_cpu_ns: Some(1703),
        kubelet_cpu_ns: Some(1740),
        kubelet_pods_cpu_ns: Some(1777),
        kubelet_tx_bytes: Some(1814),
        kubelet_rx_bytes: Some(1851),
        kubelet_seconds: Some(24.49),
        origin: Origin::default(),
    }
}
