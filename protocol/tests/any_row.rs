//! Whatever numbers and texts rows hold, the same come back.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod same;

use proptest::{collection::vec, option, prelude::*};
use protocol::{
    Body, Closing, Epoch, Event, EventKind, Header, Limits, NetworkClass, PodNetwork, PodUsage,
    Reconcile, Row, Timestamp, decode, encode_rows,
};

const END: Timestamp = Timestamp {
    unix_us: 1_760_000_030_000_000,
};

fn header() -> Header {
    Header {
        cluster: "c".to_owned(),
        node: "n".to_owned(),
        boot_id: String::new(),
        epoch: Epoch([1; 16]),
        seq: 2,
        previous: None,
        window_start: END.plus_us(-30_000_000),
        window_end: END,
    }
}

/// Random ones, those that are short decimal fractions, and those at the edges.
fn double() -> impl Strategy<Value = f64> {
    let bits = any::<u64>().prop_map(f64::from_bits);
    let whole =
        (any::<i64>(), 0..12_i32).prop_map(|(whole, scale)| whole as f64 / 10_f64.powi(scale));
    let small = (0..5_000_000_000_i64).prop_map(|ns| ns as f64 / 1e9);
    let edge = prop::sample::select(vec![
        0.0,
        -0.0,
        f64::MAX,
        f64::MIN_POSITIVE,
        1.0 / 3.0,
        5e-324,
    ]);
    prop_oneof![bits, whole, small, edge].prop_filter("finite", |double| double.is_finite())
}

fn long() -> impl Strategy<Value = i64> {
    let pages = (0..1_000_000_i64).prop_map(|pages| pages * 4096);
    let edge = prop::sample::select(vec![i64::MIN, i64::MAX, 0, -1]);
    prop_oneof![any::<i64>(), pages, edge, 0..300_i64]
}

fn text() -> impl Strategy<Value = String> {
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    prop_oneof![any::<String>(), uuid, "[0-9A-F-]{36}", "[ab]{0,2}"]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-40_000_000..1_000_000_i64).prop_map(|us| END.plus_us(us))
}

prop_compose! {
    fn usage()(
        doubles in vec(option::of(double()), 5),
        longs in vec(option::of(long()), 6),
        texts in vec(option::of(text()), 3),
        lists in vec(option::of(vec(text(), 0..3)), 2),
        pod_id in text(),
        sources in vec(text(), 0..3),
        (is_final, host_network, pvc_count) in any::<(bool, Option<bool>, Option<i32>)>(),
        (timestamp, window_start) in (time(), time()),
    ) -> PodUsage {
        let [namespace, owner, qos] = texts.try_into().unwrap();
        let [labels, annotations] = lists.try_into().unwrap();
        PodUsage {
            timestamp,
            window_start,
            window_end: END,
            pod_id,
            namespace,
            owner,
            qos,
            labels,
            annotations,
            sources,
            is_final,
            host_network,
            pvc_count,
            closing: is_final.then_some(Closing::Final),
            cpu_usage_cores: doubles[0],
            cpu_seconds: doubles[1],
            cpu_peak_cores: doubles[2],
            psi_cpu_some_seconds: doubles[3],
            psi_cpu_full_seconds: doubles[4],
            memory_usage_bytes: longs[0],
            net_tx_bytes: longs[1],
            net_tx_bytes_delta: longs[2],
            net_rx_bytes_delta: longs[3],
            cgroup_id: longs[4],
            limits_memory_bytes: longs[5],
            ..PodUsage::default()
        }
    }
}

prop_compose! {
    /// Of one of the pods, or of another.
    fn network()(
        pod_id in text(),
        class in prop::sample::select(NetworkClass::ALL.to_vec()),
        longs in vec(long(), 4),
    ) -> PodNetwork {
        PodNetwork {
            timestamp: END,
            pod_id,
            class,
            window_start: END,
            window_end: END,
            tx_bytes_delta: longs[0],
            tx_packets_delta: longs[1],
            rx_bytes_delta: longs[2],
            rx_packets_delta: longs[3],
            cgroup_id: None,
            namespace: None,
            pod_name: None,
            origin: protocol::Origin::default(),
        }
    }
}

/// Rows of all tables; some pods have the sums of their rows, and quotients of their seconds.
fn rows(
    mut usages: Vec<PodUsage>,
    mut networks: Vec<PodNetwork>,
    messages: &[String],
    is_derived: bool,
) -> Vec<Row> {
    if is_derived {
        for (usage, network) in usages.iter_mut().zip(&mut networks) {
            network.pod_id.clone_from(&usage.pod_id);
            usage.cpu_usage_cores = usage.cpu_seconds.map(|seconds| seconds / 29.999_871_3);
        }
        for usage in &mut usages {
            let own = networks
                .iter()
                .filter(|network| network.pod_id == usage.pod_id);
            let sum = own.fold(0_i64, |sum, network| {
                sum.wrapping_add(network.tx_bytes_delta)
            });
            usage.net_tx_bytes_delta = usage.net_tx_bytes_delta.map(|_| sum);
        }
    }
    let event = |message: &String| Event {
        timestamp: END,
        kind: EventKind::Restart,
        message: message.clone(),
        ..Event::default()
    };
    let reconcile = Reconcile {
        timestamp: END,
        window_start: END,
        window_end: END,
        rows_pod_usage: usages.len() as i64,
        rows_pod_network: networks.len() as i64,
        rows_events: messages.len() as i64,
        ..Reconcile::default()
    };
    let usages = usages.into_iter().map(Row::PodUsage);
    let networks = networks.into_iter().map(Row::PodNetwork);
    let events = messages.iter().map(event).map(Row::Events);
    let all = usages.chain(networks).chain(events);
    all.chain([Row::Reconcile(reconcile)]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_rows_come_back_as_they_were(
        usages in vec(usage(), 0..12),
        networks in vec(network(), 0..12),
        messages in vec(text(), 0..3),
        is_derived in any::<bool>(),
    ) {
        let rows = rows(usages, networks, &messages, is_derived);
        let batch = decode(&encode_rows(&header(), &rows), &Limits::default()).unwrap();
        let Body::Whole(tables) = batch.body else {
            panic!("no rows");
        };
        same::assert_same(&tables, &rows);
    }
}
