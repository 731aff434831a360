//! What can't stay becomes a gap, never nothing.

use protocol::GapReason;

use super::*;
use crate::spool::{Gaps, SpoolError};

fn is_gap(frame: &Bytes) -> bool {
    frame.starts_with(&gap(&header(1, 1), GapReason::Refused, "", Counts::default())[..4])
}

#[test]
fn the_lowest_whole_batches_make_room_with_gaps_of_their_seq() {
    let scratch = Scratch::new();
    let (mut spool, _) = Spool::open(scratch.settings(100_000)).unwrap();
    keep(&mut spool, 2, 1..=3, 20_000);
    keep(&mut spool, 1, 1..=2, 20_000);
    assert_eq!(spool.bytes(), 100_000);
    assert_eq!(spool.meters().gaps, Gaps::default());
    keep(&mut spool, 1, 3..=3, 30_000);

    let message = "the spool's 100000 bytes were full";
    let expected = |seq| {
        gap(
            &header(2, seq),
            GapReason::SpoolFull,
            message,
            entry(2, seq, 0).rows,
        )
    };
    let kept = all(&spool);
    assert_eq!(kept.len(), 6);
    assert_eq!(kept[0], (epoch(2), 1, expected(1)));
    assert_eq!(kept[1], (epoch(2), 2, expected(2)));
    assert_eq!(kept[2], (epoch(2), 3, frame(2, 3, 20_000)));
    assert_eq!(kept[5], (epoch(1), 3, frame(1, 3, 30_000)));
    assert!(spool.bytes() <= 100_000);
    assert_eq!(
        spool.bytes(),
        kept.iter()
            .map(|(_, _, frame)| frame.len() as u64)
            .sum::<u64>()
    );
    drop(spool);
    let (spool, _) = Spool::open(scratch.settings(100_000)).unwrap();
    assert_eq!(all(&spool), kept);
    assert_eq!(spool.meters().gaps_waiting, 2);
}

#[test]
fn a_batch_larger_than_the_spool_becomes_a_gap_itself() {
    let scratch = Scratch::new();
    let (mut spool, _) = Spool::open(scratch.settings(10_000)).unwrap();
    keep(&mut spool, 1, 1..=1, 5_000);
    keep(&mut spool, 1, 2..=2, 50_000);
    let kept = all(&spool);
    assert!(kept.iter().all(|(_, _, frame)| is_gap(frame)));
    assert_eq!(spool.meters().gaps.full, 2);
    assert_eq!(spool.state().unwrap().unwrap(), b"state 1/2");
}

#[test]
fn old_batches_become_gaps_once() {
    let scratch = Scratch::new();
    let mut settings = scratch.settings(u64::MAX);
    settings.max_age = Duration::from_secs(10);
    let (mut spool, _) = Spool::open(settings).unwrap();
    keep(&mut spool, 1, 1..=5, 5_000);
    let at = |seconds: i64| Timestamp {
        unix_us: seconds * 1_000_000,
    };
    spool.expire(at(11)).unwrap();
    assert_eq!(spool.meters().gaps, Gaps::default());
    spool.expire(at(13)).unwrap();
    let kept = all(&spool);
    let message = "it waited for longer than 10s";
    let expected = |seq| {
        gap(
            &header(1, seq),
            GapReason::SpoolAge,
            message,
            entry(1, seq, 0).rows,
        )
    };
    assert_eq!(kept[1], (epoch(1), 2, expected(2)));
    assert_eq!(kept[2], (epoch(1), 3, frame(1, 3, 5_000)));
    spool.expire(at(13)).unwrap();
    spool
        .give_up(epoch(1), 2, GapReason::Refused, "no")
        .unwrap();
    assert_eq!(all(&spool), kept);
    assert_eq!(
        spool.meters().gaps,
        Gaps {
            age: 2,
            ..Gaps::default()
        }
    );
}

#[test]
fn more_old_batches_than_one_transaction_takes() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    let entries: Vec<_> = (1..=2_500).map(|seq| entry(1, seq, 600)).collect();
    spool.keep(&entries, None).unwrap();
    spool.expire(Timestamp { unix_us: i64::MAX }).unwrap();
    assert_eq!(spool.meters().gaps.age, 2_500);
    let kept = all(&spool);
    assert_eq!(kept.len(), 2_500);
    assert!(kept.iter().all(|(_, _, frame)| is_gap(frame)));
    spool.committed(epoch(1), 2_499).unwrap();
    drop(spool);
    let (spool, _) = scratch.open();
    assert_eq!(all(&spool), kept[2_499..]);
}

#[test]
fn a_refused_batch_is_given_up_alone_and_its_successors_stay() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    keep(&mut spool, 1, 1..=3, 5_000);
    spool
        .give_up(epoch(1), 2, GapReason::Refused, "node_name: not yours")
        .unwrap();
    spool.give_up(epoch(1), 9, GapReason::Refused, "").unwrap();
    spool.give_up(epoch(5), 1, GapReason::Refused, "").unwrap();
    let kept = all(&spool);
    let rows = entry(1, 2, 0).rows;
    let expected = gap(
        &header(1, 2),
        GapReason::Refused,
        "node_name: not yours",
        rows,
    );
    assert_eq!(kept[1].2, expected);
    assert_eq!(kept[0].2, frame(1, 1, 5_000));
    assert_eq!(kept[2].2, frame(1, 3, 5_000));
    keep(&mut spool, 1, 4..=4, 100);
}

#[test]
fn seq_1_still_names_its_predecessor_as_a_gap() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    let mut first = entry(2, 1, 5_000);
    first.header.previous = previous(1, 77);
    spool.keep(std::slice::from_ref(&first), None).unwrap();
    spool
        .give_up(epoch(2), 1, GapReason::Refused, "no")
        .unwrap();
    let expected = gap(&first.header, GapReason::Refused, "no", first.rows);
    assert_eq!(all(&spool), [(epoch(2), 1, expected)]);
}

#[test]
fn gaps_are_bounded_and_no_batch_is_kept_beyond_that() {
    let scratch = Scratch::new();
    let (mut spool, _) = Spool::open(scratch.settings(0)).unwrap();
    let entries: Vec<_> = (1..=65_537).map(|seq| entry(1, seq, 0)).collect();
    // Frames of no bytes fit; give them up for gaps.
    spool.keep(&entries, Some(b"kept")).unwrap();
    spool
        .expire(Timestamp {
            unix_us: 65_536 * 1_000_000 + 604_800_000_001,
        })
        .unwrap();
    assert_eq!(spool.meters().gaps_waiting, 65_536);
    let error = spool
        .keep(&[entry(1, 65_538, 10)], Some(b"never"))
        .unwrap_err();
    assert!(
        matches!(error, SpoolError::Full { gaps: 65_536 }),
        "{error}"
    );
    assert_eq!(spool.state().unwrap().unwrap(), b"kept");
    spool.committed(epoch(1), 10).unwrap();
    spool.keep(&[entry(1, 65_538, 10)], Some(b"again")).unwrap();
}
