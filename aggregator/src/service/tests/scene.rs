//! Services, and an agent's requests.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{ObjectStore, memory::InMemory, path::Path};
use protocol::{
    Ack, Counts, Epoch, Gap, GapReason, Header, Message, PodUsage, Previous, Reconcile, Refusal,
    Row, Timestamp,
};

use crate::{
    lake::{
        LakeError,
        tests::world::{NOW, settings as lake_settings},
    },
    service::{Service, Settings, When},
};

pub const EPOCH: Epoch = Epoch([7; 16]);

pub fn settings(seed: u64) -> Settings {
    Settings {
        when: When {
            bytes: usize::MAX,
            rows: u64::MAX,
            age: Duration::from_secs(30),
        },
        ..Settings::new(lake_settings(seed))
    }
}

pub async fn start_with(
    store: Arc<dyn ObjectStore>,
    settings: Settings,
) -> Result<Arc<Service>, LakeError> {
    Service::start(store, Path::from("p"), settings)
        .await
        .map(Arc::new)
}

pub async fn start(store: &Arc<InMemory>, seed: u64) -> Arc<Service> {
    start_with(store.clone(), settings(seed)).await.unwrap()
}

/// With its loop.
pub fn run(service: &Arc<Service>) -> tokio::task::JoinHandle<()> {
    let service = service.clone();
    tokio::spawn(async move { service.run().await })
}

pub fn header(node: &str, seq: u64) -> Header {
    let window_end = Timestamp { unix_us: NOW };
    Header {
        cluster: "c".to_owned(),
        node: node.to_owned(),
        boot_id: "b".to_owned(),
        epoch: EPOCH,
        seq,
        previous: (seq == 1).then_some(Previous {
            epoch: Epoch([6; 16]),
            last: 3,
        }),
        window_start: window_end.plus_us(-30_000_000),
        window_end,
    }
}

/// A batch with rows in `pod_usage` and `reconcile`.
pub fn frame_of(header: &Header) -> Bytes {
    let pod = PodUsage {
        window_start: header.window_start,
        window_end: header.window_end,
        timestamp: header.window_end,
        ..PodUsage::default()
    };
    let reconcile = Reconcile {
        window_start: header.window_start,
        window_end: header.window_end,
        timestamp: header.window_end,
        rows_pod_usage: 1,
        ..Reconcile::default()
    };
    protocol::encode_rows(header, &[Row::PodUsage(pod), Row::Reconcile(reconcile)]).into()
}

pub fn frame(node: &str, seq: u64) -> Bytes {
    frame_of(&header(node, seq))
}

pub fn gap_frame(header: &Header) -> Bytes {
    let gap = Gap {
        reason: GapReason::SpoolFull,
        message: "full".to_owned(),
        rows_lost: Counts::default(),
    };
    protocol::encode_gap(header, &gap).into()
}

pub fn message(node: &str, batches: Vec<Bytes>) -> Bytes {
    let message = Message {
        node: node.to_owned(),
        batches,
        asks: Vec::new(),
    };
    protocol::encode_message(&message).into()
}

/// Sends batches of a node as this node.
pub async fn send(service: &Service, node: &str, batches: Vec<Bytes>) -> Result<Ack, Refusal> {
    service.take(Some(node), message(node, batches)).await
}

/// Sends these seqs and tells received, committed, expected.
pub async fn send_seqs(
    service: &Service,
    node: &str,
    seqs: impl IntoIterator<Item = u64>,
) -> Result<(u64, u64, Option<u64>), Refusal> {
    let batches = seqs.into_iter().map(|seq| frame(node, seq)).collect();
    let ack = send(service, node, batches).await?;
    assert_eq!(ack.answers.len(), 1);
    let answer = ack.answers[0];
    assert_eq!(answer.epoch, EPOCH);
    Ok((answer.received, answer.committed, answer.expect))
}
