//! What the board keeps, and for how long.

use std::time::Duration;

use protocol::Row;

use super::{
    MAX_PODS, StatusBoard,
    testing::{pod, reconcile},
};

const TOOK: Duration = Duration::from_millis(1);

#[test]
fn a_pod_s_totals_grow_until_its_final_row() {
    let mut board = StatusBoard::with_pods();
    let mut last = pod("a");
    board.closed(&[Row::PodUsage(last.clone())], TOOK);
    board.closed(&[Row::PodUsage(last.clone())], TOOK);
    let (_, figures) = board.by_uid().next().unwrap();
    assert_eq!(
        (figures.cpu_seconds, figures.tx_bytes, figures.oom_kills),
        (Some(3.0), Some(20), Some(2))
    );
    assert_eq!(figures.working_set_bytes, Some(4_096), "newest, not a sum");
    last.is_final = true;
    board.closed(&[Row::PodUsage(last)], TOOK);
    assert_eq!(board.by_uid().count(), 0);
}

#[test]
fn pods_are_bounded_and_forgotten_when_they_stay_away() {
    let mut board = StatusBoard::with_pods();
    let rows: Vec<_> = (0..MAX_PODS + 10)
        .map(|number| Row::PodUsage(pod(&number.to_string())))
        .collect();
    board.closed(&rows, TOOK);
    assert_eq!(board.by_uid().count(), MAX_PODS);
    for _ in 0..30 {
        board.closed(&[Row::PodUsage(pod("0"))], TOOK);
    }
    assert_eq!(board.by_uid().count(), 1);
}

#[test]
fn no_pod_is_kept_when_nobody_asked() {
    let mut board = StatusBoard::default();
    board.closed(&[Row::PodUsage(pod("a"))], TOOK);
    assert_eq!(board.by_uid().count(), 0);
    assert_eq!(board.pods, Some(1));
}

#[test]
fn wrong_figures_never_make_a_counter_fall() {
    let mut board = StatusBoard::with_pods();
    let mut row = pod("a");
    board.closed(&[Row::PodUsage(row.clone())], TOOK);
    row.cpu_seconds = Some(f64::NAN);
    row.net_tx_bytes_delta = Some(-1);
    row.net_rx_bytes_delta = Some(i64::MAX);
    row.memory_working_set_bytes = Some(-1);
    for _ in 0..3 {
        board.closed(&[Row::PodUsage(row.clone()), reconcile(&[])], TOOK);
    }
    let (_, figures) = board.by_uid().next().unwrap();
    assert_eq!(figures.cpu_seconds, Some(1.5));
    assert_eq!(
        (figures.tx_bytes, figures.rx_bytes),
        (Some(10), Some(u64::MAX))
    );
    assert_eq!(figures.working_set_bytes, Some(0));
    assert_eq!(board.unattributed.rx_bytes, 0);
}

#[test]
fn kinds_of_losses_are_bounded() {
    let mut board = StatusBoard::default();
    for number in 0..1_000 {
        board.closed(&[reconcile(&[&format!("kind{number}=1")])], TOOK);
    }
    assert_eq!(board.losses.values().sum::<u64>(), 1_000);
    assert_eq!(board.losses.len(), 65);
    assert_eq!(board.losses["other"], 936);
}
