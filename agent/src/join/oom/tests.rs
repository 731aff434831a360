//! Marks and ends in the orders in which kernels tell them.

use std::collections::HashSet;

use super::*;

const MS: u64 = 1_000_000;

fn marked(tid: u32, allocator: u32, at_ms: u64) -> OomMark {
    OomMark {
        tid,
        allocator_tid: allocator,
        allocator_pid: allocator,
        allocator_cgroup_id: 3,
        at_ns: at_ms * MS,
    }
}

fn mark(tid: u32, allocator: u32, at_ms: u64) -> OomEvent {
    OomEvent::Marked(marked(tid, allocator, at_ms))
}

fn exit(mark: OomMark, pid: u32) -> OomEvent {
    OomEvent::Exited {
        mark,
        pid,
        comm: "victim".into(),
        cgroup_id: 77,
        peak_rss_bytes: 4096,
        was_killed: true,
        at_ns: mark.at_ns + MS,
    }
}

/// The end of what [`mark`] marks with the same arguments.
fn end(tid: u32, allocator: u32, at_ms: u64) -> OomEvent {
    exit(marked(tid, allocator, at_ms), tid)
}

fn ended_by_itself(event: OomEvent) -> OomEvent {
    let mut event = event;
    if let OomEvent::Exited { was_killed, .. } = &mut event {
        *was_killed = false;
    }
    event
}

fn kills(events: impl IntoIterator<Item = OomEvent>) -> Vec<Kill> {
    let mut ledger = OomLedger::default();
    events.into_iter().for_each(|event| ledger.on_event(event));
    ledger.finish(0)
}

fn incidents(kills: &[Kill]) -> usize {
    kills
        .iter()
        .map(|kill| kill.incident)
        .collect::<HashSet<_>>()
        .len()
}

#[test]
fn a_kill_is_told_once_with_both_halves() {
    let mut ledger = OomLedger::default();
    ledger.on_event(mark(11, 5, 1));
    assert_eq!(ledger.finish(2 * MS), []);
    ledger.on_event(exit(marked(11, 5, 1), 10));
    let kill = Kill {
        incident: MS,
        outcome: Outcome::Killed,
        at_ns: MS,
        pid: 10,
        comm: "victim".into(),
        cgroup_id: 77,
        peak_rss_bytes: Some(4096),
        allocator_pid: 5,
    };
    assert_eq!(ledger.finish(4 * MS), [kill]);
    assert_eq!(ledger.finish(u64::MAX), []);
}

#[test]
fn a_process_that_ends_by_itself_is_no_kill() {
    let kills = kills([mark(11, 5, 1), ended_by_itself(end(11, 5, 1))]);
    assert_eq!(kills[0].outcome_name(), "marked");
    assert!(!kills[0].is_kill());
}

#[test]
fn a_process_that_does_not_end_is_told_after_half_a_minute() {
    let mut ledger = OomLedger::default();
    ledger.on_event(mark(11, 5, 1_000));
    assert_eq!(ledger.finish(30_999 * MS), []);
    let told = ledger.finish(31_000 * MS);
    assert_eq!(
        (told.len(), told[0].outcome_name(), told[0].pid),
        (1, "not_exited", 11)
    );
    assert_eq!(ledger.finish(u64::MAX), []);
}

#[test]
fn a_group_kill_is_one_incident() {
    let marks = (11..14).map(|tid| mark(tid, 5, 1));
    let exits = (11..14).map(|tid| end(tid, 5, 1));
    let kills = kills(marks.chain(exits));
    assert_eq!((kills.len(), incidents(&kills)), (3, 1));
}

#[test]
fn a_large_group_stays_one_incident_though_its_first_process_has_ended() {
    let mut ledger = OomLedger::default();
    for (event, group) in [
        (mark(11, 5, 1), Some(true)),
        (end(11, 5, 1), Some(true)),
        (mark(12, 5, 3), Some(true)),
        (end(12, 5, 3), Some(true)),
    ] {
        ledger.on_event_in(event, group);
    }
    assert_eq!(incidents(&ledger.finish(0)), 1);
}

#[test]
fn one_allocator_that_kills_one_after_the_other_makes_several_incidents() {
    let kills = kills([mark(11, 5, 1), end(11, 5, 1), mark(12, 5, 3), end(12, 5, 3)]);
    assert_eq!(incidents(&kills), 2);
}

#[test]
fn without_a_group_every_process_is_its_own_incident_once_that_is_known() {
    let mut ledger = OomLedger::default();
    ledger.on_event(mark(11, 5, 1));
    ledger.on_event(mark(12, 5, 1));
    ledger.on_event_in(end(11, 5, 1), Some(false));
    ledger.on_event_in(end(12, 5, 1), Some(false));
    assert_eq!(incidents(&ledger.finish(0)), 2);
}

#[test]
fn marks_far_apart_are_different_incidents() {
    let kills = kills([
        mark(11, 5, 1),
        mark(12, 5, 102),
        end(11, 5, 1),
        end(12, 5, 102),
    ]);
    assert_eq!(incidents(&kills), 2);
}

#[test]
fn a_hundred_kills_at_once_by_different_allocators_are_a_hundred_incidents() {
    let marks = (0..100).map(|i| mark(100 + i, 1_000 + i, 1));
    let exits = (0..100).map(|i| end(100 + i, 1_000 + i, 1));
    let kills = kills(marks.chain(exits));
    assert_eq!((kills.len(), incidents(&kills)), (100, 100));
}

#[test]
fn a_process_with_several_marked_threads_is_told_once() {
    let own = |tid| OomMark {
        allocator_pid: 10,
        ..marked(tid, tid, 1)
    };
    let marks = [own(11), own(12), marked(10, 5, 1)];
    let mut ledger = OomLedger::default();
    marks
        .map(OomEvent::Marked)
        .into_iter()
        .chain([exit(own(11), 10)])
        .for_each(|event| ledger.on_event(event));
    assert_eq!(ledger.finish(u64::MAX).len(), 1);
}

#[test]
fn an_end_is_whole_though_its_mark_was_lost() {
    let kills = kills([end(11, 5, 1)]);
    assert_eq!((kills[0].allocator_pid, kills[0].at_ns), (5, MS));
    assert!(kills[0].is_kill());
}

#[test]
fn a_mark_that_is_told_after_the_end_of_its_process_adds_nothing() {
    let mut ledger = OomLedger::default();
    ledger.on_event(end(11, 5, 1));
    ledger.on_event(mark(11, 5, 1));
    assert_eq!(ledger.finish(u64::MAX).len(), 1);
    // Another task of the same number, later.
    ledger.on_event(mark(11, 5, 60_000));
    assert_eq!(ledger.finish(u64::MAX).len(), 1);
}

#[test]
fn a_group_is_one_incident_though_an_end_was_told_first() {
    let kills = kills([end(11, 5, 1), mark(11, 5, 1), mark(12, 5, 1), end(12, 5, 1)]);
    assert_eq!((kills.len(), incidents(&kills)), (2, 2));
    let mut ledger = OomLedger::default();
    for event in [end(11, 5, 1), mark(11, 5, 1), mark(12, 5, 1), end(12, 5, 1)] {
        ledger.on_event_in(event, Some(true));
    }
    assert_eq!(incidents(&ledger.finish(0)), 1);
}

#[test]
fn a_thread_number_that_comes_again_does_not_mix_two_kills() {
    let kills = kills([mark(11, 5, 1), mark(11, 6, 2_000), end(11, 6, 2_000)]);
    let outcomes: Vec<_> = kills.iter().map(Kill::outcome_name).collect();
    assert_eq!(outcomes, ["not_exited", "killed"]);
    assert_eq!(kills[1].allocator_pid, 6);
}

#[test]
fn what_waits_is_bounded_and_the_rest_is_counted() {
    let mut ledger = OomLedger::default();
    let over = MAX_PENDING as u32 + 10;
    (0..over).for_each(|i| ledger.on_event(mark(10_000 + i, i, 1)));
    assert_eq!(ledger.take_unmatched(), 10);
    ledger.on_event(end(10_000 + over - 1, over - 1, 1));
    assert_eq!(ledger.finish(u64::MAX).len(), MAX_PENDING + 1);
}
