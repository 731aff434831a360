//! A board with something in every place.

use std::time::Duration;

use protocol::{Balance, Event, NodeUsage, PodUsage, Reconcile, Row, Timestamp};

use super::StatusBoard;
use crate::{
    health::Health,
    kernel::{ProgramCost, Sources},
};

/// A pod's row.
pub(super) fn pod(uid: &str) -> PodUsage {
    PodUsage {
        pod_id: uid.to_owned(),
        namespace: Some("shop".to_owned()),
        pod_name: Some("till-0".to_owned()),
        cpu_seconds: Some(1.5),
        net_tx_bytes_delta: Some(10),
        net_rx_bytes_delta: Some(20),
        memory_working_set_bytes: Some(4_096),
        oom_kills: Some(1),
        ..PodUsage::default()
    }
}

/// What a reconcile row tells.
pub(super) fn reconcile(losses: &[&str]) -> Row {
    let lost = |unattributed| Balance {
        unattributed,
        ..Balance::default()
    };
    Row::Reconcile(Reconcile {
        window_end: Timestamp {
            unix_us: 1_700_000_000_500_000,
        },
        cpu_ns: lost(2_000_000_000),
        net_tx_bytes: lost(7),
        net_rx_bytes: lost(-5),
        losses: losses.iter().map(|&loss| loss.to_owned()).collect(),
        ..Reconcile::default()
    })
}

/// A board that fills every metric there is.
pub(super) fn filled() -> StatusBoard {
    let mut board = StatusBoard::with_pods();
    let kubelet = Health::new("kubelet");
    kubelet.failed("timeout", "no \"answer\"".to_owned());
    kubelet.works();
    let imds = Health::new("imds");
    imds.failed("refused", "not on EC2".to_owned());
    let push = Health::new("push");
    push.off("no address given");
    let kernel = Sources::none("needs root");
    board.began(Duration::from_secs(10), &kernel, vec![kubelet, imds, push]);
    let mut odd = pod("odd\\uid\n\"");
    odd.namespace = Some("a\\b\"c\nd".to_owned());
    let rows = [
        Row::PodUsage(pod("uid-1")),
        Row::PodUsage(odd),
        Row::NodeUsage(NodeUsage {
            pods: Some(2),
            ..NodeUsage::default()
        }),
        Row::Events(Event::default()),
        reconcile(&["cpu_map_full=3", "odd\"kind=1", "no number", "x=-1"]),
    ];
    board.closed(&rows, Duration::from_millis(3));
    board.closed(&rows, Duration::from_secs(2));
    board.kubelet(Duration::from_millis(12), 345_678);
    let cost = |name, run_count| ProgramCost {
        name,
        run_time_ns: run_count * 100,
        run_count,
    };
    board.bpf(vec![cost("cpu_runtime", 5), cost("oom_mark", 0)], 65_536);
    board
}
