//! A cgroup's life as rows, and what a restart makes of it.

use protocol::{Closing, PodUsage, Reconcile, Row};

use super::*;
use crate::kernel::{OomEvent, OomMark, Source};

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const ID: u64 = 42;
const PATH: &str = "/jobs/one";

pub(super) fn sources() -> Sources {
    Sources::asked(&Source::ALL)
}

pub(super) fn ledger() -> Ledger {
    let origin = Origin {
        node_name: "n1".into(),
        ..Origin::default()
    };
    Ledger::new(origin, at(0), 0)
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp {
        unix_us: (1_000 + seconds) * 1_000_000,
    }
}

/// What the kernel holds after `seconds`: one cgroup's CPU time and sent packets of 100 bytes.
pub(super) fn snapshot(seconds: u64, run_ns: u64, packets: u64) -> Snapshot {
    let traffic = Traffic {
        tx_bytes: packets * 100,
        tx_packets: packets,
        ..Traffic::default()
    };
    let mut classes = [Traffic::default(); CLASSES];
    classes[4] = traffic;
    let mut snapshot = Snapshot {
        at_ns: seconds * SECOND,
        cpu: HashMap::from([(ID, cpu(run_ns))]),
        network: HashMap::from([(ID, classes)]),
        ..Snapshot::default()
    };
    snapshot.cpu_totals.run_ns = run_ns;
    snapshot.network_totals.total = traffic;
    snapshot
}

fn cpu(run_ns: u64) -> CpuUsage {
    CpuUsage {
        run_ns,
        ..CpuUsage::ZERO
    }
}

fn event(kind: CgroupEventKind) -> CgroupEvent {
    CgroupEvent {
        kind,
        cgroup_id: ID,
        at_ns: 0,
        path: PATH.into(),
        path_cut: false,
    }
}

fn close(ledger: &mut Ledger, snapshot: &Snapshot) -> Vec<Row> {
    ledger.observe(snapshot);
    let seconds = i64::try_from(snapshot.at_ns / SECOND).unwrap();
    ledger.close(&Reading {
        now: at(seconds),
        snapshot,
        stats: &HashMap::new(),
        sources: &sources(),
        losses: &[],
        known: &Known::default(),
    })
}

pub(super) fn usages(rows: &[Row]) -> Vec<&PodUsage> {
    fn usage(row: &Row) -> Option<&PodUsage> {
        match row {
            Row::PodUsage(usage) => Some(usage),
            _ => None,
        }
    }
    rows.iter().filter_map(usage).collect()
}

pub(super) fn reconcile(rows: &[Row]) -> &Reconcile {
    match rows.last() {
        Some(Row::Reconcile(balance)) => balance,
        other => panic!("the last row is {other:?}"),
    }
}

#[test]
fn a_removed_cgroup_gets_provisional_supplement_and_final_rows() {
    let mut ledger = ledger();
    ledger.on_cgroup(event(CgroupEventKind::Born));
    let rows = close(&mut ledger, &snapshot(1, SECOND, 5));
    assert_eq!(usages(&rows)[0].closing, None);
    assert_eq!(usages(&rows)[0].pod_id, PATH);
    ledger.on_cgroup(event(CgroupEventKind::Removed));
    let rows = close(&mut ledger, &snapshot(2, 2 * SECOND, 6));
    assert_eq!(usages(&rows)[0].closing, Some(Closing::Provisional));
    let rows = close(&mut ledger, &snapshot(3, 2 * SECOND, 6));
    assert!(usages(&rows).is_empty(), "nothing came, but {rows:?}");
    let rows = close(&mut ledger, &snapshot(4, 2 * SECOND, 16));
    assert_eq!(usages(&rows)[0].closing, Some(Closing::Supplement));
    assert_eq!(usages(&rows)[0].net_tx_packets_delta, Some(10));
    ledger.on_released(ID, Some(cpu(2 * SECOND)), &snapshot(4, 0, 17).network[&ID]);
    let rows = close(
        &mut ledger,
        &Snapshot {
            at_ns: 5 * SECOND,
            ..Snapshot::default()
        },
    );
    let last = usages(&rows)[0];
    assert_eq!((last.closing, last.is_final), (Some(Closing::Final), true));
    assert_eq!(last.net_tx_packets_delta, Some(1));
    let rows = close(
        &mut ledger,
        &Snapshot {
            at_ns: 6 * SECOND,
            ..Snapshot::default()
        },
    );
    assert!(
        usages(&rows).is_empty(),
        "rows after the last one: {rows:?}"
    );
}

#[test]
fn a_life_within_one_window_is_one_final_row() {
    let mut ledger = ledger();
    for kind in [
        CgroupEventKind::Born,
        CgroupEventKind::Removed,
        CgroupEventKind::Released,
    ] {
        ledger.on_cgroup(event(kind));
    }
    ledger.on_released(ID, Some(cpu(7)), &snapshot(1, 0, 1).network[&ID]);
    let rows = close(
        &mut ledger,
        &Snapshot {
            at_ns: SECOND,
            ..Snapshot::default()
        },
    );
    let usage = usages(&rows);
    assert_eq!(usage.len(), 1);
    assert_eq!(
        (usage[0].is_final, usage[0].cpu_seconds),
        (true, Some(7e-9))
    );
}

#[test]
fn a_lost_birth_is_named_by_the_removal_and_a_lost_life_by_its_id() {
    let mut ledger = ledger();
    let rows = close(&mut ledger, &snapshot(1, 1, 0));
    assert_eq!(usages(&rows)[0].pod_id, "cgroup:42");
    assert!(ledger.has_nameless());
    ledger.on_cgroup(event(CgroupEventKind::Removed));
    let rows = close(&mut ledger, &snapshot(2, 2, 0));
    assert_eq!(usages(&rows)[0].pod_id, PATH);
}

#[test]
fn what_is_listed_no_more_was_removed_unseen() {
    let mut ledger = ledger();
    let cgroup = |id, path: &str| Cgroup {
        id,
        path: path.to_owned(),
    };
    ledger.on_listing(&[cgroup(1, "/"), cgroup(ID, PATH)], 0);
    close(&mut ledger, &snapshot(1, 5, 0));
    ledger.on_listing(&[cgroup(1, "/")], SECOND);
    let rows = close(&mut ledger, &snapshot(2, 9, 0));
    assert_eq!(usages(&rows)[0].closing, Some(Closing::Provisional));
    let much_later = 2 * SECOND + 601 * SECOND;
    assert_eq!(ledger.quiet(much_later), [ID]);
}

#[test]
fn the_next_agent_goes_on_where_the_last_row_ended() {
    let mut first = ledger();
    first.on_cgroup(event(CgroupEventKind::Born));
    close(&mut first, &snapshot(1, 10, 3));
    let mut second = ledger();
    assert!(second.resume(first.baseline()).is_empty());
    let rows = close(&mut second, &snapshot(4, 25, 7));
    let usage = usages(&rows)[0];
    assert_eq!((usage.window_start, usage.window_end), (at(1), at(4)));
    assert_eq!(
        (usage.cpu_seconds, usage.net_tx_packets_delta),
        (Some(15e-9), Some(4))
    );
    assert_eq!(reconcile(&rows).cpu_ns.total, 15);
    assert_eq!(usage.pod_id, PATH);
}

#[test]
fn last_counters_survive_an_agent_that_did_not_live_to_tell_them() {
    let mut first = ledger();
    first.on_cgroup(event(CgroupEventKind::Born));
    close(&mut first, &snapshot(1, 10, 3));
    first.on_released(ID, Some(cpu(12)), &snapshot(1, 0, 9).network[&ID]);
    let mut second = ledger();
    assert_eq!(second.resume(first.baseline()), [ID]);
    // The kernel may hold the account still: it must not count again.
    let rows = close(&mut second, &snapshot(2, 12, 9));
    let usage = usages(&rows)[0];
    assert_eq!(
        (usage.is_final, usage.net_tx_packets_delta),
        (true, Some(6))
    );
}

#[test]
fn counters_of_unknown_history_begin_with_what_comes_next() {
    let mut ledger = ledger();
    ledger.skip_to(&snapshot(0, 100, 50));
    let rows = close(&mut ledger, &snapshot(1, 101, 50));
    assert_eq!(usages(&rows)[0].cpu_seconds, Some(1e-9));
    assert_eq!(reconcile(&rows).cpu_ns.total, 1);
}

#[test]
fn rows_unattributed_and_in_flight_make_up_the_total() {
    let mut ledger = ledger();
    let mut snapshot = snapshot(1, 70, 5);
    snapshot.cpu_totals.run_ns = 100;
    snapshot.cpu_totals.unattributed_ns = 20;
    let rows = close(&mut ledger, &snapshot);
    let balance = reconcile(&rows).cpu_ns;
    assert_eq!(
        (
            balance.total,
            balance.rows,
            balance.unattributed,
            balance.in_flight
        ),
        (100, 70, 20, 10)
    );
    let lost = usages(&rows)
        .into_iter()
        .find(|usage| usage.pod_id == "unattributed")
        .unwrap();
    assert_eq!(lost.cpu_seconds, Some(20e-9));
}

fn exited() -> OomEvent {
    OomEvent::Exited {
        mark: OomMark::default(),
        pid: 9,
        comm: "hog".into(),
        cgroup_id: ID,
        peak_rss_bytes: 4096,
        was_killed: true,
        at_ns: 1,
    }
}

/// Of a process in [`ID`].
pub(super) fn a_kill() -> Kill {
    let mut oom = crate::join::OomLedger::default();
    oom.on_event(exited());
    oom.finish(2).pop().unwrap()
}

#[test]
fn a_kill_is_an_event_and_counts_in_its_cgroups_row() {
    let mut ledger = ledger();
    ledger.on_cgroup(event(CgroupEventKind::Born));
    ledger.on_kill(&a_kill(), at(0));
    let rows = close(&mut ledger, &snapshot(1, 1, 0));
    assert_eq!(usages(&rows)[0].oom_kills, Some(1));
    let told = rows.iter().find_map(|row| match row {
        Row::Events(event) => Some(event),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!(
        (told.pod_id.as_deref(), told.comm.as_deref()),
        (Some(PATH), Some("hog"))
    );
    assert_eq!(
        (told.outcome.as_deref(), told.peak_rss_bytes),
        (Some("killed"), Some(4096))
    );
}

#[test]
fn windows_get_shorter_but_do_not_overlap_when_the_clock_is_set_back() {
    let mut ledger = ledger();
    close(&mut ledger, &snapshot(10, 1, 0));
    let late = snapshot(20, 2, 0);
    ledger.observe(&late);
    let rows = ledger.close(&Reading {
        now: at(-3600),
        snapshot: &late,
        stats: &HashMap::new(),
        sources: &sources(),
        losses: &[],
        known: &Known::default(),
    });
    assert_eq!(
        (reconcile(&rows).window_start, reconcile(&rows).window_end),
        (at(10), at(15))
    );
}

#[test]
fn what_is_in_no_row_stays_in_flight_until_a_row_tells_it() {
    let mut ledger = ledger();
    let mut first = snapshot(1, 70, 5);
    first.cpu_totals.run_ns = 100;
    let mut second = snapshot(2, 100, 5);
    second.cpu_totals.run_ns = 100;
    let levels = [&first, &second].map(|snapshot| {
        let rows = close(&mut ledger, snapshot);
        reconcile(&rows).cpu_ns.in_flight
    });
    assert_eq!(levels, [30, 0]);
}

#[test]
fn a_cgroup_that_a_listing_left_out_lives_on() {
    let mut ledger = ledger();
    let one = Cgroup {
        id: ID,
        path: PATH.to_owned(),
    };
    ledger.on_listing(std::slice::from_ref(&one), 0);
    close(&mut ledger, &snapshot(1, 5, 0));
    ledger.on_listing(&[], SECOND);
    ledger.on_listing(&[one], 2 * SECOND);
    let rows = close(&mut ledger, &snapshot(3, 6, 0));
    assert_eq!(usages(&rows)[0].closing, None);
    assert!(ledger.quiet(u64::MAX).is_empty());
}

#[test]
fn events_and_kills_that_no_window_told_are_the_next_agents() {
    let mut first = ledger();
    first.on_cgroup(event(CgroupEventKind::Born));
    let mut oom = super::super::OomLedger::default();
    oom.on_event(exited());
    oom.finish(2)
        .iter()
        .for_each(|kill| first.on_kill(kill, at(0)));
    let stored = serde_json::to_string(&first.baseline()).unwrap();
    let mut second = ledger();
    second.resume(serde_json::from_str(&stored).unwrap());
    let rows = close(&mut second, &snapshot(1, 1, 0));
    assert_eq!(usages(&rows)[0].oom_kills, Some(1));
    assert!(rows.iter().any(|row| matches!(row, Row::Events(_))));
}
