//! Pods from their first row to their last one.

use protocol::{Closing, Row};

use super::{
    pod_scene::*,
    tests::{ledger as new_ledger, *},
    *,
};
use crate::{
    kernel::{CgroupEventKind, Source},
    pods::Restart,
};

#[test]
fn a_container_that_goes_leaves_its_use_to_its_pod_and_the_pod_goes_on() {
    let mut ledger = with_pod();
    ledger.on_cgroup(told(CgroupEventKind::Removed, FIRST, &container("a")));
    let gone = counted(1, &[(FIRST, SECOND, 5)]);
    ledger.on_released(FIRST, Some(gone.cpu[&FIRST]), &gone.network[&FIRST]);
    let rows = close_with(&mut ledger, &gone, &Known::default());
    assert_eq!(
        (only(&rows).cpu_seconds, only(&rows).closing),
        (Some(1.0), None)
    );
    let rows = close_with(
        &mut ledger,
        &counted(2, &[(SECOND_CONTAINER, SECOND, 1)]),
        &Known::default(),
    );
    let row = only(&rows);
    assert_eq!(
        (row.cpu_seconds, row.net_tx_bytes),
        (Some(1.0), Some(600)),
        "totals go on"
    );
}

#[test]
fn a_pods_end_is_provisional_until_its_last_cgroup_is_released() {
    let mut ledger = with_pod();
    end_all(&mut ledger, CgroupEventKind::Removed);
    let rows = close_with(
        &mut ledger,
        &counted(1, &[(FIRST, SECOND, 5)]),
        &Known::default(),
    );
    assert_eq!(only(&rows).closing, Some(Closing::Provisional));
    let none = [Traffic::default(); CLASSES];
    ledger.on_released(SECOND_CONTAINER, None, &none);
    let rows = close_with(
        &mut ledger,
        &counted(2, &[(FIRST, SECOND, 9)]),
        &Known::default(),
    );
    assert_eq!(
        (only(&rows).closing, only(&rows).net_tx_packets_delta),
        (Some(Closing::Supplement), Some(4))
    );
    let rows = close_with(
        &mut ledger,
        &counted(3, &[(FIRST, SECOND, 9)]),
        &Known::default(),
    );
    assert!(usages(&rows).is_empty(), "nothing came: {rows:?}");
    let last = counted(3, &[(FIRST, SECOND, 10)]);
    ledger.on_released(FIRST, Some(last.cpu[&FIRST]), &last.network[&FIRST]);
    ledger.on_released(OWN, None, &none);
    let rows = close_with(&mut ledger, &counted(4, &[]), &Known::default());
    let row = only(&rows);
    assert_eq!((row.closing, row.is_final), (Some(Closing::Final), true));
    assert_eq!(row.net_tx_packets_delta, Some(1));
    let rows = close_with(&mut ledger, &counted(5, &[]), &Known::default());
    assert!(usages(&rows).is_empty());
}

#[test]
fn a_pod_deleted_in_the_api_before_its_end_keeps_its_name() {
    let mut ledger = with_pod();
    let mut store = store(false);
    let known = Known {
        pods: Some(&store),
        ..Known::default()
    };
    close_with(&mut ledger, &counted(1, &[(FIRST, 1, 1)]), &known);
    store.remove(UID);
    for _ in 0..5 {
        store.end_window();
    }
    end_all(&mut ledger, CgroupEventKind::Removed);
    let known = Known {
        pods: Some(&store),
        ..Known::default()
    };
    let rows = close_with(&mut ledger, &counted(2, &[(FIRST, 2, 1)]), &known);
    assert_eq!(only(&rows).pod_name.as_deref(), Some("web-1"));
}

#[test]
fn the_kubelet_cannot_bring_back_a_pod_that_got_its_last_row() {
    let mut ledger = with_pod();
    let late = sample(1, 5, 5, 5);
    let known = Known {
        sample: Some(&late),
        ..Known::default()
    };
    close_with(&mut ledger, &counted(1, &[(FIRST, 1, 1)]), &known);
    end_all(&mut ledger, CgroupEventKind::Removed);
    let none = [Traffic::default(); CLASSES];
    for id in [FIRST, SECOND_CONTAINER, OWN] {
        ledger.on_released(id, None, &none);
    }
    let rows = close_with(&mut ledger, &counted(2, &[]), &known);
    assert_eq!(only(&rows).closing, Some(Closing::Final));
    let rows = close_with(&mut ledger, &counted(3, &[]), &known);
    assert!(
        usages(&rows).is_empty(),
        "the kubelet's repeat is no pod: {rows:?}"
    );
}

#[test]
fn a_pod_of_the_kubelet_alone_ends_when_nobody_tells_of_it_any_more() {
    let mut ledger = ledger();
    ledger.by_pods();
    let (first, mut without) = (sample(0, 1, 1, 1), sample(1, 1, 1, 1));
    without.summary.pods.clear();
    let mut store = store(false);
    let known = Known {
        pods: Some(&store),
        sample: Some(&first),
        ..Known::default()
    };
    close_with(&mut ledger, &counted(1, &[]), &known);
    let known = Known {
        sample: Some(&without),
        ..known
    };
    let rows = close_with(&mut ledger, &counted(2, &[]), &known);
    assert_eq!(
        only(&rows).closing,
        None,
        "between two starts the API still knows it"
    );
    store.remove(UID);
    let known = Known {
        pods: Some(&store),
        sample: Some(&without),
        ..Known::default()
    };
    let rows = close_with(&mut ledger, &counted(3, &[]), &known);
    assert_eq!(only(&rows).closing, Some(Closing::Final));
}

#[test]
fn restarts_are_counted_in_their_window_and_told_as_events() {
    let mut ledger = with_pod();
    let store = store(false);
    let known = Known {
        pods: Some(&store),
        ..Known::default()
    };
    close_with(&mut ledger, &counted(1, &[]), &known);
    ledger.on_restart(
        Restart {
            uid: UID.into(),
            namespace: "demo".into(),
            name: "web-1".into(),
            container: "app".into(),
            reason: Some("OOMKilled".into()),
            exit_code: Some(137),
            finished_at: None,
            count: 2,
        },
        at(2),
    );
    let rows = close_with(&mut ledger, &counted(2, &[]), &known);
    assert_eq!(only(&rows).restarts, Some(2));
    let told = rows.iter().any(|row| {
        matches!(row, Row::Events(event) if event.kind == EventKind::Restart
            && event.exit_code == Some(137) && event.pod_id.as_deref() == Some(UID))
    });
    assert!(told, "{rows:?}");
    let rows = close_with(&mut ledger, &counted(3, &[]), &known);
    assert_eq!(only(&rows).restarts, Some(0));
}

#[test]
fn a_restarted_agent_goes_on_with_its_pods() {
    let mut ledger = with_pod();
    let (store, first) = (store(false), sample(1, SECOND, 500, 1));
    let known = Known {
        pods: Some(&store),
        sample: Some(&first),
        ..Known::default()
    };
    close_with(&mut ledger, &counted(1, &[(FIRST, SECOND, 5)]), &known);
    let kept = serde_json::to_vec(&ledger.baseline()).unwrap();
    let mut next = new_ledger();
    next.by_pods();
    next.resume(serde_json::from_slice(&kept).unwrap());
    // The API server has not answered yet.
    let rows = close_with(
        &mut next,
        &counted(2, &[(FIRST, 3 * SECOND, 6)]),
        &Known::default(),
    );
    let row = only(&rows);
    assert_eq!(
        (row.cpu_seconds, row.net_tx_bytes_delta),
        (Some(2.0), Some(100))
    );
    assert_eq!(
        (row.pod_name.as_deref(), row.net_tx_bytes),
        (Some("web-1"), Some(600))
    );
}

#[test]
fn oom_kills_in_a_pod_tell_its_name() {
    let mut ledger = with_pod();
    let store = store(false);
    let kill = Kill {
        cgroup_id: FIRST,
        ..a_kill()
    };
    ledger.on_kill(&kill, at(1));
    let known = Known {
        pods: Some(&store),
        ..Known::default()
    };
    let rows = close_with(&mut ledger, &counted(1, &[(FIRST, 1, 0)]), &known);
    assert_eq!(only(&rows).oom_kills, Some(1));
    let named = rows.iter().any(|row| {
        matches!(row, Row::Events(event) if event.pod_name.as_deref() == Some("web-1")
            && event.pod_id.as_deref() == Some(UID))
    });
    assert!(named, "{rows:?}");
    assert!(!sources().is_active(Source::Oom) || only(&rows).oom_kills.is_some());
}

#[test]
fn ended_pods_are_not_kept_in_mind_for_ever_when_the_kubelet_is_silent() {
    let mut ledger = ledger();
    ledger.by_pods();
    let none = [Traffic::default(); CLASSES];
    for window in 1..=300_u64 {
        for pod in 0..10 {
            let id = 1_000 + window * 10 + pod;
            let path = format!("/kubepods/pod{id:08x}-8233-4cf3-bbe0-4a885e58f3d9");
            ledger.on_cgroup(told(CgroupEventKind::Born, id, &path));
            ledger.on_cgroup(told(CgroupEventKind::Removed, id, &path));
            ledger.on_released(id, None, &none);
        }
        let rows = close_with(&mut ledger, &counted(window, &[]), &Known::default());
        assert_eq!(usages(&rows).len(), 10);
        let kept = ledger.baseline().closed.len();
        assert!((10..pods::MOST_CLOSED + 10).contains(&kept), "{kept}");
    }
}
