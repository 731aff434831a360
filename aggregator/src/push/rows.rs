//! A payload as a batch.

use bytes::Bytes;
use protocol::{Header, PodUsage, Reconcile, Row};

use super::{Payload, Place, Pod};

/// Stands where a batch of an agent names the boot of its kernel: what was pushed tells none. `verify` knows pushed
/// batches by it, as does whoever reads the tables.
pub(crate) const BOOT_ID: &str = "push";

/// The bytes of the batch.
pub fn frame(payload: &Payload, place: &Place<'_>) -> Bytes {
    let header = Header {
        cluster: place.cluster.to_owned(),
        node: payload.node().to_owned(),
        boot_id: BOOT_ID.to_owned(),
        epoch: place.next.epoch,
        seq: place.next.seq,
        previous: None,
        window_start: place.next.window_start,
        window_end: payload.end(),
    };
    let pods = payload.pods.iter();
    let mut rows: Vec<Row> = pods
        .map(|pod| Row::PodUsage(usage(payload, &header, pod)))
        .collect();
    rows.push(Row::Reconcile(Reconcile {
        timestamp: header.window_end,
        window_start: header.window_start,
        window_end: header.window_end,
        rows_pod_usage: i64::try_from(payload.pods.len()).unwrap_or(i64::MAX),
        sources: vec!["push=active".to_owned()],
        ..Reconcile::default()
    }));
    protocol::encode_rows(&header, &rows).into()
}

fn usage(payload: &Payload, header: &Header, pod: &Pod) -> PodUsage {
    let bytes = |field: &Option<super::definition::Bytes>| field.map(|bytes| bytes.0);
    let instance = payload.ec2_instance_id.as_ref();
    PodUsage {
        timestamp: header.window_end,
        window_start: header.window_start,
        window_end: header.window_end,
        ec2_instance_id: instance.and_then(|id| told(&id.0)),
        pod_id: pod.pod_id.0.clone(),
        namespace: told(&pod.namespace.0),
        pod_name: told(&pod.name.0),
        cpu_usage_cores: pod.cpu_usage_cores.map(|cores| cores.0),
        memory_usage_bytes: bytes(&pod.memory_usage_bytes),
        net_tx_bytes: bytes(&pod.net_tx_bytes),
        net_rx_bytes: bytes(&pod.net_rx_bytes),
        sources: sources(pod),
        ..PodUsage::default()
    }
}

fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn sources(pod: &Pod) -> Vec<String> {
    let figures = [
        ("cpu", pod.cpu_usage_cores.is_some()),
        ("memory", pod.memory_usage_bytes.is_some()),
        (
            "network",
            pod.net_tx_bytes.is_some() || pod.net_rx_bytes.is_some(),
        ),
    ];
    let there = figures.into_iter().filter(|(_, is_there)| *is_there);
    there.map(|(figure, _)| format!("{figure}=push")).collect()
}
