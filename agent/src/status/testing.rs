//! A board with something in every place.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use protocol::{
    Balance, Counts, Epoch, Event, Header, NodeUsage, PodUsage, Reconcile, Row, Timestamp,
};

use super::{Figures, StatusBoard};
use crate::{
    health::Health,
    kernel::{ProgramCost, Sources},
    ship::Tally,
    spool::{self, Entry, Spool},
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

/// A batch that waits, and others that were sent.
fn figures() -> Figures {
    let tally = Tally::default();
    {
        let mut counts = tally.lock();
        counts.requests.insert(("http3", "ok"), 3);
        counts.way = Some("http3");
        counts.address = Some(([10, 0, 0, 7], 8443).into());
        counts.last_committed = Some(SystemTime::UNIX_EPOCH);
    }
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("podledger-status-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let settings = spool::Settings {
        file: directory.join("spool.redb"),
        max_bytes: 1 << 20,
        max_age: Duration::from_secs(60),
    };
    let (mut spool, _) = Spool::open(settings).unwrap();
    let header = Header {
        cluster: "test".to_owned(),
        node: "node-1".to_owned(),
        boot_id: String::new(),
        epoch: Epoch([1; 16]),
        seq: 1,
        previous: None,
        window_start: Timestamp::default(),
        window_end: Timestamp::default(),
    };
    spool.begin(&header).unwrap();
    let entry = Entry {
        header,
        rows: Counts::default(),
        frame: vec![0; 10].into(),
    };
    spool.keep(&[entry], None).unwrap();
    // It is open: the directory can go.
    std::fs::remove_dir_all(directory).unwrap();
    Figures::new(tally, Rc::new(RefCell::new(spool)), 1 << 20)
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
    board.ships(figures());
    board.bpf(vec![cost("cpu_runtime", 5), cost("oom_mark", 0)], 65_536);
    board
}
