//! What an agent makes of one window: real rows, whose sums tell which units they are of.

use protocol::{
    Balance, Counts, Event, EventKind, NetworkClass, NodeUsage, PodNetwork, PodUsage, Reconcile,
    Row, Table, Timestamp,
};

use crate::chaos::{random::Random, truth::Span};

/// A window that is closed.
#[derive(Clone, Debug)]
pub struct Window {
    /// What was used in it.
    pub units: Span,
    /// Its start and end, by the agent's clock.
    pub times: (Timestamp, Timestamp),
    /// Its rows.
    pub rows: Vec<Row>,
    /// How many of each table; the row of `reconcile` is not lost with a gap.
    pub counts: Counts,
}

impl Window {
    /// Of these units: rows of some tables, always one of `reconcile`.
    pub fn new(random: &mut Random, units: Span, times: (Timestamp, Timestamp)) -> Self {
        let total = signed(units.1 - units.0);
        let mut rows = Vec::new();
        if random.chance(9_000) {
            let parts = split(total, random.between(1, 3));
            rows.extend(parts.map(|(number, part)| Row::PodUsage(pod(number, part, times))));
        }
        if random.chance(5_000) {
            let parts = split(total, random.between(1, 2));
            rows.extend(parts.map(|(number, part)| Row::PodNetwork(network(number, part, times))));
        }
        if random.chance(3_000) {
            rows.push(Row::NodeUsage(node(total, times)));
        }
        if random.chance(3_000) {
            rows.push(Row::Events(event(times)));
        }
        let mut counts = Counts::default();
        for row in &rows {
            counts[row.table()] += 1;
        }
        rows.push(Row::Reconcile(reconcile(units, &counts, times)));
        Self {
            units,
            times,
            rows,
            counts,
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Parts of a sum, numbered.
fn split(total: i64, parts: u64) -> impl Iterator<Item = (u64, i64)> {
    let parts = signed(parts);
    (0..parts).map(move |number| {
        let rest = if number == 0 { total % parts } else { 0 };
        (number.unsigned_abs(), total / parts + rest)
    })
}

fn pod(number: u64, units: i64, (start, end): (Timestamp, Timestamp)) -> PodUsage {
    PodUsage {
        timestamp: end,
        window_start: start,
        window_end: end,
        pod_id: format!("pod-{number}"),
        namespace: Some("shop".to_owned()),
        net_tx_bytes_delta: Some(units),
        ..PodUsage::default()
    }
}

fn network(number: u64, units: i64, (start, end): (Timestamp, Timestamp)) -> PodNetwork {
    PodNetwork {
        timestamp: end,
        pod_id: format!("pod-{number}"),
        class: NetworkClass::Internet,
        window_start: start,
        window_end: end,
        tx_bytes_delta: units,
        tx_packets_delta: 0,
        rx_bytes_delta: 0,
        rx_packets_delta: 0,
        cgroup_id: None,
        namespace: None,
        pod_name: None,
        origin: protocol::Origin::default(),
    }
}

fn node(units: i64, (start, end): (Timestamp, Timestamp)) -> NodeUsage {
    NodeUsage {
        timestamp: end,
        window_start: start,
        window_end: end,
        nic_tx_bytes: Some(units),
        ..NodeUsage::default()
    }
}

fn event((_, end): (Timestamp, Timestamp)) -> Event {
    Event {
        timestamp: end,
        kind: EventKind::Restart,
        message: "a container was started again".to_owned(),
        ..Event::default()
    }
}

fn reconcile(units: Span, counts: &Counts, (start, end): (Timestamp, Timestamp)) -> Reconcile {
    Reconcile {
        timestamp: end,
        window_start: start,
        window_end: end,
        rows_pod_usage: signed(counts[Table::PodUsage]),
        rows_pod_network: signed(counts[Table::PodNetwork]),
        rows_events: signed(counts[Table::Events]),
        rows_node_usage: signed(counts[Table::NodeUsage]),
        net_tx_bytes: Balance {
            total: signed(units.1 - units.0),
            ..Balance::default()
        },
        ..Reconcile::default()
    }
}
