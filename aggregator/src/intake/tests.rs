//! The rules of intake and sealing, one by one.

use protocol::{Counts, Gap, GapReason, Table};

use super::*;

fn sender(node: &str) -> Sender {
    Sender {
        node: node.into(),
        epoch: Epoch([7; 16]),
    }
}

fn whole(node: &str, seq: u64) -> Held {
    let mut rows = Counts::default();
    rows[Table::PodUsage] = 3;
    rows[Table::Reconcile] = 1;
    Held {
        sender: sender(node),
        cluster: "c".into(),
        seq,
        previous: None,
        window_end: Timestamp { unix_us: 1 },
        rows,
        gap: None,
        frame: bytes::Bytes::from_static(&[0; 100]),
    }
}

fn gap(node: &str, seq: u64) -> Held {
    Held {
        gap: Some(Gap {
            reason: GapReason::SpoolFull,
            message: String::new(),
            rows_lost: Counts::default(),
        }),
        ..whole(node, seq)
    }
}

fn ledger(version: u64, marks: &[(&str, u64)]) -> Ledger {
    let mark = |seq| Mark {
        seq,
        window_end: Timestamp { unix_us: 1 },
    };
    Ledger {
        version,
        marks: Arc::new(
            marks
                .iter()
                .map(|(node, seq)| (sender(node), mark(*seq)))
                .collect(),
        ),
    }
}

fn seqs(sealed: &Sealed) -> Vec<(&str, u64)> {
    let batches = sealed.batches.iter();
    batches.map(|held| (&*held.sender.node, held.seq)).collect()
}

fn at(intake: &Intake, node: &str) -> (u64, u64) {
    let answer = intake.answer(node, Epoch([7; 16]));
    (answer.received, answer.committed)
}

#[test]
fn batches_are_taken_in_order_only() {
    let mut intake = Intake::default();
    assert_eq!(intake.offer(whole("a", 2)), Offered::Ahead);
    assert_eq!(intake.offer(whole("a", 1)), Offered::Taken);
    assert_eq!(intake.offer(whole("a", 2)), Offered::Taken);
    assert_eq!(intake.offer(whole("a", 2)), Offered::Known);
    assert_eq!(intake.offer(whole("a", 1)), Offered::Known);
    assert_eq!(intake.offer(whole("a", 4)), Offered::Ahead);
    assert_eq!(at(&intake, "a"), (2, 0));
    assert_eq!(intake.held().batches, 2);
}

#[test]
fn another_epoch_is_another_sender() {
    let mut intake = Intake::default();
    assert_eq!(intake.offer(whole("a", 1)), Offered::Taken);
    let mut other = whole("a", 1);
    other.sender.epoch = Epoch([8; 16]);
    assert_eq!(intake.offer(other), Offered::Taken);
    assert_eq!(intake.answer("a", Epoch([9; 16])).received, 0);
}

/// What another aggregator committed is trimmed; what it does not have stays.
#[test]
fn the_ledger_trims_what_it_covers() {
    let mut intake = Intake::default();
    for seq in 1..=4 {
        assert_eq!(intake.offer(whole("a", seq)), Offered::Taken);
    }
    intake.raise(&ledger(3, &[("a", 2)]));
    assert_eq!(at(&intake, "a"), (4, 2));
    assert_eq!(seqs(&intake.seal()), [("a", 3), ("a", 4)]);
    intake.raise(&ledger(4, &[("a", 9)]));
    assert_eq!(at(&intake, "a"), (9, 9));
    assert_eq!(intake.held(), Amount::default());
    assert_eq!(intake.offer(whole("a", 10)), Offered::Taken);
}

/// An answer that comes late must not lower `committed`: an agent may have deleted already.
#[test]
fn an_older_ledger_is_ignored() {
    let mut intake = Intake::default();
    intake.raise(&ledger(3, &[("a", 5)]));
    intake.raise(&ledger(2, &[("a", 4)]));
    assert_eq!(at(&intake, "a"), (5, 5));
}

/// What sealing takes stays held, and `received` with it, until the ledger has it.
#[test]
fn sealing_forgets_nothing() {
    let mut intake = Intake::default();
    intake.offer(whole("a", 1));
    assert_eq!(seqs(&intake.seal()), [("a", 1)]);
    assert_eq!(seqs(&intake.seal()), [("a", 1)]);
    assert_eq!(at(&intake, "a"), (1, 0));
}

#[test]
fn a_gap_is_sealed_alone() {
    let mut intake = Intake::default();
    for held in [
        whole("a", 1),
        whole("a", 2),
        gap("a", 3),
        gap("a", 4),
        whole("a", 5),
    ] {
        assert_eq!(intake.offer(held), Offered::Taken);
    }
    intake.offer(whole("b", 1));
    assert_eq!(seqs(&intake.seal()), [("a", 1), ("a", 2), ("b", 1)]);
    intake.raise(&ledger(1, &[("a", 2), ("b", 1)]));
    assert_eq!(seqs(&intake.seal()), [("a", 3)]);
    intake.raise(&ledger(2, &[("a", 3)]));
    assert_eq!(seqs(&intake.seal()), [("a", 4)]);
    intake.raise(&ledger(3, &[("a", 4)]));
    assert_eq!(seqs(&intake.seal()), [("a", 5)]);
}

#[test]
fn what_is_held_is_bounded_by_bytes_and_by_batches() {
    let one = Amount::of(&whole("a", 1));
    let wide = Amount {
        batches: 2,
        bytes: one.bytes * 9,
        rows: u64::MAX,
    };
    let narrow = Amount {
        batches: 9,
        bytes: one.bytes * 2,
        rows: u64::MAX,
    };
    for held in [wide, narrow] {
        let mut intake = Intake::new(Bounds { held, sealed: held });
        assert_eq!(intake.offer(whole("a", 1)), Offered::Taken);
        assert_eq!(intake.offer(whole("b", 1)), Offered::Taken);
        assert_eq!(intake.offer(whole("b", 2)), Offered::Full);
        assert_eq!(at(&intake, "b"), (1, 0));
        intake.raise(&ledger(1, &[("a", 1)]));
        assert_eq!(intake.offer(whole("b", 2)), Offered::Taken);
    }
}

/// A commit takes no more than it may, begins with another sender each time, and always takes
/// something.
#[test]
fn seals_are_bounded_and_take_turns() {
    let sealed = Amount {
        batches: 2,
        bytes: usize::MAX,
        rows: u64::MAX,
    };
    let mut intake = Intake::new(Bounds {
        sealed,
        ..Bounds::default()
    });
    for node in ["a", "b", "c"] {
        intake.offer(whole(node, 1));
    }
    assert_eq!(seqs(&intake.seal()), [("a", 1), ("b", 1)]);
    assert_eq!(seqs(&intake.seal()), [("c", 1), ("a", 1)]);
    assert_eq!(seqs(&intake.seal()), [("b", 1), ("c", 1)]);

    let nothing = Amount::default();
    let mut intake = Intake::new(Bounds {
        sealed: nothing,
        ..Bounds::default()
    });
    intake.offer(whole("a", 1));
    intake.offer(whole("a", 2));
    assert_eq!(seqs(&intake.seal()), [("a", 1)]);
}

#[test]
fn a_sender_is_known_by_what_is_held_or_committed() {
    let mut intake = Intake::default();
    assert!(!intake.knows(&sender("a")));
    intake.offer(whole("a", 1));
    assert!(intake.knows(&sender("a")));
    intake.raise(&ledger(1, &[("a", 1)]));
    assert!(intake.knows(&sender("a")));
}
