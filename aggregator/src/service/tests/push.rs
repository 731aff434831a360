//! What collectors push becomes rows that are in the tables once.

use std::{sync::Arc, time::Duration};

use object_store::memory::InMemory;
use protocol::{RefusalKind, Timestamp};
use serde_json::{Value, json};

use super::scene::*;
use crate::{
    lake::{rows::WriteSettings, tests::world::NOW},
    push::NotTaken,
    service::{Service, Settings},
    verify::{Reading, Report, Rules, Tables},
};

fn body(node: &str, seconds: i64) -> Value {
    let time = Timestamp { unix_us: NOW }.plus_us(seconds * 1_000_000);
    json!({
        "timestamp": time.to_string(),
        "node_name": node,
        "ec2_instance_id": "i-1",
        "pods": [
            { "pod_id": "1", "namespace": "n", "name": "one", "cpu_usage_cores": 0.5 },
            { "pod_id": "2", "namespace": "n", "name": "two", "net_rx_bytes": 7 },
        ],
    })
}

fn push(service: &Service, body: &Value) -> Result<(), NotTaken> {
    service.push(None, body.to_string().as_bytes())
}

/// With real files, which `verify` can read.
fn writing(seed: u64) -> Settings {
    let mut settings = settings(seed);
    settings.lake.encode = Arc::new(WriteSettings::default());
    settings
}

async fn verified(store: &Arc<InMemory>) -> Report {
    let tables = Tables::new(store.clone(), "p".into());
    let reading = Reading {
        store: tables.store(),
        snapshots: &tables,
        rules: Rules {
            now: Timestamp { unix_us: i64::MAX },
            settle: Duration::from_secs(900),
        },
        memory: 1 << 20,
        progress: &|_| {},
    };
    reading.judge().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn pushes_are_committed_beside_batches_and_proved() {
    let store = Arc::new(InMemory::new());
    for start_number in 1..=2 {
        let service = start_with(store.clone(), writing(start_number))
            .await
            .unwrap();
        let committing = run(&service);
        for seconds in [0, 30, 60, 30] {
            let seconds = seconds + 100 * i64::try_from(start_number).unwrap();
            push(&service, &body("a", seconds)).unwrap();
        }
        push(&service, &body("b", 0)).unwrap();
        let mut header = header("b", start_number);
        header.previous = None;
        send(&service, "b", vec![frame_of(&header)]).await.unwrap();
        let counted = (
            service.tally().pushed.get(),
            service.tally().pushed_again.get(),
        );
        assert_eq!(counted, (4, 1));
        service.stop();
        committing.await.unwrap();
    }
    let report = verified(&store).await;
    assert!(report.is_proved(), "{report}");
    assert_eq!((report.pushes, report.batches), (8, 10));
    assert_eq!((report.epochs, report.new_boots), (5, 0));
    assert_eq!(report.rows["pod_usage"], 18);
}

#[tokio::test(start_paused = true)]
async fn bad_times_and_other_nodes_are_refused() {
    let store = Arc::new(InMemory::new());
    let service = start(&store, 1).await;
    for seconds in [-9 * 86_400, 2 * 86_400] {
        let refused = push(&service, &body("a", seconds)).unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Malformed);
        assert_eq!(refused.problems[0].field, "timestamp");
    }
    let bytes = body("a", 0).to_string();
    let refused = service.push(Some("b"), bytes.as_bytes()).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Forbidden);
    assert_eq!(refused.problems[0].field, "node_name");
    service.push(Some("a"), bytes.as_bytes()).unwrap();
    assert_eq!(service.status().held.batches, 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_leaves_no_hole() {
    let store = Arc::new(InMemory::new());
    let mut settings = writing(1);
    settings.bounds.held.batches = 2;
    let service = start_with(store.clone(), settings).await.unwrap();
    push(&service, &body("a", 0)).unwrap();
    push(&service, &body("a", 30)).unwrap();
    let refused = push(&service, &body("a", 60)).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Busy);
    let committing = run(&service);
    tokio::time::sleep(Duration::from_secs(40)).await;
    push(&service, &body("a", 60)).unwrap();
    service.stop();
    committing.await.unwrap();
    let refused = push(&service, &body("a", 90)).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Busy, "it is stopping");
    let report = verified(&store).await;
    assert!(report.is_proved(), "{report}");
    assert_eq!(report.pushes, 3);
}
