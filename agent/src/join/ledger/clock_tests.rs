//! Clocks that jump and counters that fall: windows meet, and nothing is negative or told twice.

use protocol::Row;

use super::{pod_scene::*, tests::*, *};

const HOUR: i64 = 3_600;

/// Closes a window at `boot` seconds on the boot clock and `wall` seconds on the wall clock.
fn close_at(ledger: &mut Ledger, boot: u64, wall: i64, run_ns: u64) -> Vec<Row> {
    let snapshot = snapshot(boot, run_ns, 0);
    ledger.observe(&snapshot);
    ledger.close(&Reading {
        now: at(wall),
        snapshot: &snapshot,
        stats: &HashMap::new(),
        sources: &sources(),
        losses: &[],
        known: &Known::default(),
    })
}

/// Closes a window of ten seconds for each wall clock, with half a core in use, and returns the ends
/// of the windows, the first one's start before them.
fn ends(walls: &[i64]) -> Vec<i64> {
    let mut ledger = ledger();
    let mut ends = vec![at(0)];
    for (number, wall) in (1..).zip(walls) {
        let rows = close_at(&mut ledger, number * 10, *wall, number * 5 * SECOND);
        let window = reconcile(&rows);
        assert_eq!(Some(&window.window_start), ends.last(), "windows meet");
        assert!(window.window_end >= window.window_start, "{window:?}");
        let usage = usages(&rows)[0];
        assert_eq!(
            (usage.cpu_seconds, usage.cpu_usage_cores),
            (Some(5.0), Some(0.5)),
            "a rate is one of the boot clock"
        );
        ends.push(window.window_end);
    }
    ends.iter()
        .map(|end| (end.unix_us - at(0).unix_us) / 1_000_000)
        .collect()
}

#[test]
fn a_jump_forward_is_one_long_window_with_the_right_rate() {
    assert_eq!(
        ends(&[10, 20 + HOUR, 30 + HOUR]),
        [0, 10, 20 + HOUR, 30 + HOUR]
    );
}

#[test]
fn a_jump_back_makes_short_windows_until_the_clock_has_caught_up() {
    assert_eq!(
        ends(&[10, 20 - HOUR, 30 - HOUR, 18, 28]),
        [0, 10, 15, 20, 25, 30]
    );
}

#[test]
fn a_jump_forward_that_is_taken_back_leaves_no_hole() {
    assert_eq!(
        ends(&[10 + HOUR, 20, 30]),
        [0, 10 + HOUR, 15 + HOUR, 20 + HOUR]
    );
}

#[test]
fn a_clock_that_stands_still_and_one_that_drifts_make_windows_that_meet() {
    assert_eq!(ends(&[10, 10, 10, 40]), [0, 10, 15, 20, 40]);
    let slow: Vec<i64> = (1..200).map(|number| number * 9).collect();
    assert_eq!(ends(&slow)[1..], slow);
}

#[test]
fn a_suspended_machine_has_one_long_window_of_a_low_rate() {
    let mut ledger = ledger();
    close_at(&mut ledger, 10, 10, SECOND);
    let night = 8 * HOUR;
    let rows = close_at(
        &mut ledger,
        10 + night.unsigned_abs(),
        10 + night,
        2 * SECOND,
    );
    let usage = usages(&rows)[0];
    assert_eq!(
        (usage.window_start, usage.window_end),
        (at(10), at(10 + night))
    );
    assert_eq!(usage.cpu_seconds, Some(1.0));
    let cores = usage.cpu_usage_cores.unwrap();
    assert!((cores - 1.0 / night as f64).abs() < 1e-12, "{cores}");
    assert!(usage.cpu_p99_cores.is_none_or(|p99| p99 <= cores));
}

#[test]
fn a_window_of_no_length_has_no_rate() {
    let mut ledger = ledger();
    close_at(&mut ledger, 10, 10, SECOND);
    // A boot clock never goes back; if it did, nothing must become negative.
    for boot in [10, 9] {
        let rows = close_at(&mut ledger, boot, 10, SECOND);
        let usage = usages(&rows)[0];
        assert_eq!((usage.window_start, usage.window_end), (at(10), at(10)));
        assert_eq!(
            (usage.cpu_seconds, usage.cpu_usage_cores),
            (Some(0.0), None)
        );
    }
}

#[test]
fn a_counter_that_fell_began_anew_in_rows_and_totals_alike() {
    let mut ledger = ledger();
    close_at(&mut ledger, 10, 10, 9 * SECOND);
    let rows = close_at(&mut ledger, 20, 20, SECOND);
    assert_eq!(usages(&rows)[0].cpu_seconds, Some(1.0));
    let balance = reconcile(&rows).cpu_ns;
    assert_eq!(
        (balance.total, balance.rows, balance.in_flight),
        (1_000_000_000, 1_000_000_000, 0)
    );
}

/// What the rows tell of a pod that nobody but the kubelet counts: seconds of CPU and bytes sent, as
/// the kubelet's samples come. A sample: its time, CPU seconds and bytes so far.
fn of_samples(samples: &[(i64, u64, u64)]) -> Vec<(f64, i64)> {
    let (store, off) = (store(false), Sources::none("no kernel"));
    let mut ledger = ledger();
    ledger.by_pods();
    let mut told = Vec::new();
    for (window, (time, cpu, sent)) in (1..).zip(samples) {
        let sample = sample(*time, cpu * SECOND, *sent, 4096);
        let known = Known {
            pods: Some(&store),
            sample: Some(&sample),
            ..Known::default()
        };
        let rows = close_from(&mut ledger, &counted(window * 10, &[]), &known, &off);
        let row = only(&rows);
        assert!(row.cpu_usage_cores.is_none_or(|cores| cores >= 0.0));
        told.push((
            row.cpu_seconds.unwrap_or(-1.0),
            row.net_tx_bytes_delta.unwrap_or(-1),
        ));
    }
    told.split_off(1)
}

#[test]
fn samples_of_a_clock_that_jumps_are_told_once() {
    let (a, b, c) = (10, 20 + HOUR, 30 + HOUR);
    let once = [(2.0, 50), (3.0, 70)];
    assert_eq!(of_samples(&[(a, 1, 100), (b, 3, 150), (c, 6, 220)]), once);
    let (b, c) = (20 - HOUR, 30 - HOUR);
    assert_eq!(of_samples(&[(a, 1, 100), (b, 3, 150), (c, 6, 220)]), once);
    let (b, c) = (20 + HOUR, 30);
    assert_eq!(of_samples(&[(a, 1, 100), (b, 3, 150), (c, 6, 220)]), once);
}

#[test]
fn an_older_sample_come_back_is_told_as_nothing() {
    assert_eq!(
        of_samples(&[
            (10, 1, 100),
            (20, 3, 150),
            (10, 1, 100),
            (20, 3, 150),
            (30, 4, 160)
        ]),
        [(2.0, 50), (0.0, 0), (0.0, 0), (1.0, 10)]
    );
}

#[test]
fn a_sample_whose_counters_fell_began_anew() {
    assert_eq!(
        of_samples(&[(10, 9, 900), (20, 1, 30), (30, 2, 40)]),
        [(1.0, 30), (1.0, 10)]
    );
}

#[test]
fn a_pod_that_claims_to_start_in_the_future_does_not_bring_its_whole_past() {
    let (store, off) = (store(false), Sources::none("no kernel"));
    let mut ledger = ledger();
    ledger.by_pods();
    // It started while the clock was an hour ahead.
    let mut sample = sample(5, 1_000 * SECOND, 1_000_000, 4096);
    sample.summary.pods[0].start_time = Some(at(HOUR));
    let known = Known {
        pods: Some(&store),
        sample: Some(&sample),
        ..Known::default()
    };
    let rows = close_from(&mut ledger, &counted(10, &[]), &known, &off);
    assert_eq!(
        (only(&rows).cpu_seconds, only(&rows).net_tx_bytes_delta),
        (None, None)
    );
}

/// Stall time of a pod in seconds, as rows tell it. A sample: the time of its memory, if it has that,
/// and stall microseconds so far.
fn stalls(samples: &[(i64, bool, u64)]) -> Vec<Option<f64>> {
    let mut ledger = with_pod();
    let mut told = Vec::new();
    for (window, (time, has_memory, stalled_us)) in (1..).zip(samples) {
        let mut sample = sample(*time, SECOND, 100, 4096);
        let pod = &mut sample.summary.pods[0];
        pod.memory = pod.memory.filter(|_| *has_memory);
        pod.psi = Some(crate::kubelet::Psi {
            memory_some_us: Some(*stalled_us),
            ..crate::kubelet::Psi::default()
        });
        let known = Known {
            sample: Some(&sample),
            ..Known::default()
        };
        let rows = close_with(&mut ledger, &counted(window * 10, &[(FIRST, 1, 0)]), &known);
        told.push(only(&rows).psi_memory_some_seconds);
    }
    told.split_off(1)
}

#[test]
fn stalls_are_told_once_whatever_the_samples_times_are() {
    let (one, two, none) = (Some(1.0), Some(2.0), Some(0.0));
    let second = 1_000_000;
    assert_eq!(
        stalls(&[
            (10, true, second),
            (20, true, 2 * second),
            (20, true, 2 * second)
        ]),
        [one, none]
    );
    assert_eq!(
        stalls(&[
            (10, true, 5 * second),
            (20, true, 7 * second),
            (10, true, 5 * second),
            (20, true, 7 * second),
            (30, true, 8 * second),
        ]),
        [two, none, none, one],
        "an older sample came back"
    );
    assert_eq!(
        stalls(&[
            (10, true, second),
            (20 - HOUR, true, 3 * second),
            (30 - HOUR, true, 4 * second)
        ]),
        [two, one],
        "the clock was set back"
    );
    assert_eq!(
        stalls(&[
            (10, false, second),
            (20, false, 2 * second),
            (30, false, 4 * second)
        ]),
        [one, two],
        "without memory"
    );
}
