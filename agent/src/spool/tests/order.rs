//! What is kept comes back in order, until it is committed.

use super::*;
use crate::spool::{Beginning, SpoolError, Waiting};

#[test]
fn batches_of_several_epochs_come_back_oldest_first() {
    let scratch = Scratch::new();
    let mut expected = Vec::new();
    // Epochs in descending order of their bytes: the order must be that of time.
    for number in [9, 7, 3] {
        let (mut spool, _) = scratch.open();
        keep(&mut spool, number, 1..=4, 20_000);
        expected.extend((1..=4).map(|seq| (epoch(number), seq, frame(number, seq, 20_000))));
        assert_eq!(all(&spool), expected);
    }
    let (mut spool, found) = scratch.open();
    assert_eq!(found, Found::Resumed);
    assert_eq!(all(&spool), expected);
    assert_eq!(spool.state().unwrap().unwrap(), b"state 3/4");
    assert_eq!(spool.bytes(), 12 * 20_000);

    spool.committed(epoch(9), 4).unwrap();
    spool.committed(epoch(7), 1).unwrap();
    spool.committed(epoch(1), 9).unwrap();
    let waiting = |number, first| Waiting {
        epoch: epoch(number),
        first,
        last: 4,
    };
    assert_eq!(spool.waiting(), [waiting(7, 2), waiting(3, 1)]);
    assert_eq!(spool.read(epoch(9), 1, 1).unwrap(), []);
    assert_eq!(all(&spool), expected[5..]);
    assert_eq!(spool.bytes(), 7 * 20_000);
    drop(spool);
    let (spool, _) = scratch.open();
    assert_eq!(spool.waiting(), [waiting(7, 2), waiting(3, 1)]);
}

#[test]
fn a_read_stops_at_its_bytes_but_gives_one() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    keep(&mut spool, 1, 1..=5, 1_000);
    let seqs = |seq, bytes| {
        let read = spool.read(epoch(1), seq, bytes).unwrap();
        read.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(1, 2_999), [1, 2]);
    assert_eq!(seqs(2, 3_000), [2, 3, 4]);
    assert_eq!(seqs(4, 0), [4]);
    assert_eq!(seqs(0, usize::MAX), [1, 2, 3, 4, 5]);
    assert!(seqs(6, 9).is_empty());
}

#[test]
fn an_epoch_names_the_one_that_drew_last_even_if_nothing_of_it_waits() {
    let scratch = Scratch::new();
    let (mut spool, found) = scratch.open();
    assert_eq!(found, Found::Nothing);
    let first = Beginning {
        next_seq: 1,
        previous: None,
    };
    assert_eq!(spool.begin(&header(1, 1)).unwrap(), first);
    keep(&mut spool, 1, 1..=3, 100);
    spool.committed(epoch(1), 3).unwrap();
    drop(spool);

    let (mut spool, _) = scratch.open();
    assert_eq!(spool.waiting(), []);
    let second = Beginning {
        next_seq: 1,
        previous: previous(1, 3),
    };
    assert_eq!(spool.begin(&header(2, 1)).unwrap(), second);
    drop(spool);
    // The second drew nothing.
    let (mut spool, _) = scratch.open();
    assert_eq!(spool.begin(&header(3, 1)).unwrap(), second);
    keep(&mut spool, 3, 1..=1, 100);
    drop(spool);
    let (mut spool, _) = scratch.open();
    let fourth = Beginning {
        next_seq: 1,
        previous: previous(3, 1),
    };
    assert_eq!(spool.begin(&header(4, 1)).unwrap(), fourth);
}

#[test]
fn several_batches_and_their_state_are_kept_together() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    let entries = [entry(1, 1, 10), entry(1, 2, 0), entry(1, 3, 9_000)];
    spool.keep(&entries, Some(&[7; 30_000])).unwrap();
    spool.keep(&[], Some(&[8; 10_000])).unwrap();
    spool.keep(&[entry(1, 4, 5)], None).unwrap();
    drop(spool);
    let (spool, _) = scratch.open();
    assert_eq!(spool.state().unwrap().unwrap(), [8; 10_000]);
    let frames: Vec<_> = all(&spool)
        .into_iter()
        .map(|(_, _, frame)| frame.len())
        .collect();
    assert_eq!(frames, [10, 0, 9_000, 5]);
    assert_eq!(spool.meters().batches, 4);
    assert_eq!(
        spool.meters().oldest,
        Some(Timestamp { unix_us: 1_000_000 })
    );
}

#[test]
fn a_hole_or_a_second_batch_of_a_seq_is_refused() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    keep(&mut spool, 1, 1..=2, 10);
    keep(&mut spool, 2, 1..=1, 10);
    for (wrong, next) in [
        (entry(2, 3, 10), 2),
        (entry(2, 1, 10), 2),
        (entry(1, 3, 10), 0),
        (entry(3, 2, 10), 1),
    ] {
        let error = spool.keep(&[wrong], Some(b"never")).unwrap_err();
        assert!(
            matches!(error, SpoolError::Order { next: n, .. } if n == next),
            "{error}"
        );
    }
    assert_eq!(spool.state().unwrap().unwrap(), b"state 2/1");
    keep(&mut spool, 2, 2..=2, 10);
}

#[test]
fn the_first_table_id_stays() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    assert_eq!(spool.table_id("a").unwrap(), "a");
    assert_eq!(spool.table_id("b").unwrap(), "a");
    drop(spool);
    assert_eq!(scratch.open().0.table_id("b").unwrap(), "a");
}

#[test]
fn what_is_committed_makes_room_in_the_file() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    for seq in 1..=400 {
        keep(&mut spool, 1, seq..=seq, 20_000);
        spool.committed(epoch(1), seq.saturating_sub(2)).unwrap();
    }
    assert_eq!(spool.meters().batches, 2);
    let bytes = fs::metadata(scratch.file()).unwrap().len();
    assert!(bytes < 1 << 20, "{bytes} bytes for two batches of 20 kB");
}

#[test]
fn many_deletions_at_once_are_spread_and_none_comes_back() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    let entries: Vec<_> = (1..=900).map(|seq| entry(1, seq, 6_000)).collect();
    spool.keep(&entries, None).unwrap();
    let full = fs::metadata(scratch.file()).unwrap().len();
    spool.committed(epoch(1), 900).unwrap();
    keep(&mut spool, 2, 1..=1, 100);
    assert_eq!(spool.waiting().len(), 1);
    keep(&mut spool, 3, 1..=19, 100);
    let emptied = fs::metadata(scratch.file()).unwrap().len();
    assert!(emptied < full, "{emptied} bytes, after {full}");
    drop(spool);
    let (spool, _) = scratch.open();
    let names: Vec<_> = all(&spool).iter().map(|(epoch, ..)| epoch.0[0]).collect();
    assert_eq!(names, [&[2][..], &[3; 19]].concat());
}
