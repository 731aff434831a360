//! What is written is read back to the bit, and what is not as it must be is refused by name.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod same;
mod sample;

use bytes::Bytes;
use protocol::{
    Ack, Answer, Body, Closing, Counts, Epoch, Gap, GapReason, Header, Invalid, InvalidKind,
    Limits, Message, PodUsage, Previous, Reconcile, Row, Table, columns::TableData, decode,
    decode_ack, decode_message, encode_ack, encode_gap, encode_message, encode_rows,
};
use same::assert_same;
use sample::Node;

fn read(header: &Header, rows: &[Row]) -> Result<Vec<TableData>, Invalid> {
    let batch = decode(&encode_rows(header, rows), &Limits::default())?;
    assert_eq!(&batch.header, header);
    match batch.body {
        Body::Whole(tables) => Ok(tables),
        Body::Gap(gap) => panic!("rows became {gap:?}"),
    }
}

fn refused(node: &Node) -> Invalid {
    read(&node.header, &node.rows).unwrap_err()
}

fn usage(node: &mut Node, at: usize) -> &mut PodUsage {
    match &mut node.rows[at] {
        Row::PodUsage(usage) => usage,
        row => panic!("{row:?}"),
    }
}

fn reconcile(node: &mut Node) -> &mut Reconcile {
    match node.rows.last_mut() {
        Some(Row::Reconcile(reconcile)) => reconcile,
        row => panic!("{row:?}"),
    }
}

#[test]
fn rows_come_back_as_they_were() {
    for (seed, pods) in [(1, 0), (2, 1), (3, 7), (4, 8), (5, 110)] {
        let mut node = Node::new(seed, pods);
        if pods > 5 {
            usage(&mut node, 3).cpu_usage_cores = Some(1.0 / 3.0);
            usage(&mut node, 4).pvc_count = Some(-3);
            usage(&mut node, 5).closing = Some(Closing::Supplement);
            usage(&mut node, 5).labels = Some(vec!["a=b".to_owned(), String::new()]);
            usage(&mut node, 6).labels = Some(Vec::new());
            usage(&mut node, 6).is_final = true;
            usage(&mut node, 6).net_tx_bytes = Some(i64::MIN);
            usage(&mut node, 5).net_tx_bytes = Some(i64::MAX);
        }
        assert_same(&read(&node.header, &node.rows).unwrap(), &node.rows);
    }
}

#[test]
fn columns_are_numbered_by_position_and_told_once() {
    for table in Table::ALL {
        for (column, id) in table.columns().iter().zip(1..) {
            assert_eq!(column.id, id);
            assert!(column.doc.ends_with('.'), "{}: {}", column.name, column.doc);
        }
        let header = ["cluster_id", "node_name", "boot_id", "epoch", "seq"];
        let of_header = table.columns().iter().filter(|column| column.is_of_header);
        let mut names: Vec<_> = of_header.map(|column| column.name).collect();
        names.sort_unstable();
        let mut header = header.to_vec();
        header.sort_unstable();
        assert_eq!(names, header);
    }
}

#[test]
fn gaps_come_back_as_they_were() {
    let mut header = Node::new(1, 0).header;
    header.seq = 1;
    header.previous = Some(Previous {
        epoch: Epoch([9; 16]),
        last: 77,
    });
    for reason in [
        GapReason::SpoolFull,
        GapReason::SpoolAge,
        GapReason::SpoolLost,
        GapReason::Refused,
    ] {
        let mut rows_lost = Counts::default();
        rows_lost[Table::PodNetwork] = 300;
        rows_lost[Table::Reconcile] = 1;
        let gap = Gap {
            reason,
            message: "no room for 12 MiB".to_owned(),
            rows_lost,
        };
        let batch = decode(&encode_gap(&header, &gap), &Limits::default()).unwrap();
        assert_eq!((batch.header, batch.body), (header.clone(), Body::Gap(gap)));
    }
}

#[test]
fn messages_and_acks_come_back_as_they_were() {
    let message = Message {
        node: "n".to_owned(),
        batches: vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")],
        asks: vec![Epoch([1; 16]), Epoch([2; 16])],
    };
    let body = Bytes::from(encode_message(&message));
    assert_eq!(decode_message(body, &Limits::default()), Ok(message));
    let ack = Ack {
        instance: Epoch([3; 16]),
        table_id: "5a".to_owned(),
        answers: vec![
            Answer {
                epoch: Epoch([1; 16]),
                received: 12,
                committed: 0,
                expect: Some(13),
            },
            Answer {
                epoch: Epoch([2; 16]),
                received: u64::MAX,
                committed: 9,
                expect: None,
            },
        ],
    };
    assert_eq!(decode_ack(&encode_ack(&ack)), Ok(ack));
}

type Change = fn(&mut Node);

fn assert_refused(cases: &[(Change, InvalidKind, &str)]) {
    for (change, kind, field) in cases {
        let mut node = Node::new(7, 20);
        change(&mut node);
        let invalid = refused(&node);
        assert_eq!(
            (invalid.kind, invalid.field.as_str()),
            (*kind, *field),
            "{invalid}"
        );
    }
}

#[test]
fn what_no_column_can_hold_is_refused_by_name() {
    let bad = InvalidKind::BadValue;
    assert_refused(&[
        (
            |node| usage(node, 17).cpu_seconds = Some(f64::NAN),
            bad,
            "pod_usage.cpu_seconds[17]",
        ),
        (
            |node| {
                usage(node, 4).cpu_peak_cores = None;
                usage(node, 6).cpu_peak_cores = Some(f64::INFINITY);
            },
            bad,
            "pod_usage.cpu_peak_cores[6]",
        ),
        (
            |node| usage(node, 2).timestamp.unix_us = 0,
            bad,
            "pod_usage.timestamp[2]",
        ),
        (
            |node| reconcile(node).window_end.unix_us = 4_102_444_800_000_000,
            bad,
            "reconcile.window_end[0]",
        ),
    ]);
}

#[test]
fn a_header_that_names_no_batch_is_refused_by_name() {
    let (bad, malformed) = (InvalidKind::BadValue, InvalidKind::Malformed);
    assert_refused(&[
        (
            |node| node.header.window_start.unix_us = 1_577_836_800_000_000,
            bad,
            "header.window_start",
        ),
        (
            |node| node.header.window_start = node.header.window_end.plus_us(1),
            bad,
            "header.window_start",
        ),
        (|node| node.header.seq = 0, bad, "header.seq"),
        (
            |node| node.header.cluster = "c".repeat(254),
            bad,
            "header.cluster",
        ),
        (|node| node.header.node.clear(), malformed, "header.node"),
        (
            |node| {
                node.header.previous = Some(Previous {
                    epoch: Epoch([1; 16]),
                    last: 1,
                });
            },
            malformed,
            "header.previous",
        ),
    ]);
}

#[test]
fn rows_that_reconcile_does_not_tell_are_refused() {
    let malformed = InvalidKind::Malformed;
    assert_refused(&[
        (
            |node| reconcile(node).rows_pod_usage += 1,
            malformed,
            "reconcile.rows_pod_usage",
        ),
        (|node| drop(node.rows.pop()), malformed, "reconcile"),
    ]);
}

#[test]
fn more_than_the_limits_is_refused() {
    let node = Node::new(7, 20);
    let frame = encode_rows(&node.header, &node.rows);
    let limits = Limits::default;
    for (field, limits) in [
        (
            "batch",
            Limits {
                batch_bytes: 1000,
                ..limits()
            },
        ),
        (
            "pod_network",
            Limits {
                rows: 30,
                ..limits()
            },
        ),
        (
            "texts.bytes",
            Limits {
                text_bytes: 20,
                ..limits()
            },
        ),
        (
            "texts.list_lengths",
            Limits {
                list_items: 3,
                ..limits()
            },
        ),
        (
            "texts",
            Limits {
                texts: 30,
                ..limits()
            },
        ),
        (
            "pod_usage.pod_id",
            Limits {
                written_bytes: 5000,
                ..limits()
            },
        ),
    ] {
        let invalid = decode(&frame, &limits).unwrap_err();
        assert_eq!(
            (invalid.kind, invalid.field.as_str()),
            (InvalidKind::TooLarge, field),
            "{invalid}"
        );
    }
}

#[test]
fn a_damaged_frame_is_never_taken() {
    let node = Node::new(7, 3);
    let frame = encode_rows(&node.header, &node.rows);
    for end in 0..frame.len() {
        decode(&frame[..end], &Limits::default()).unwrap_err();
    }
    for at in 0..frame.len() {
        let mut damaged = frame.clone();
        damaged[at] ^= 0x15;
        // The checksum sees it, unless a byte is changed that means nothing.
        if let Ok(batch) = decode(&damaged, &Limits::default()) {
            assert_eq!(batch, decode(&frame, &Limits::default()).unwrap());
        }
    }
    let twice = [frame.clone(), frame].concat();
    assert_eq!(
        decode(&twice, &Limits::default()).unwrap_err().kind,
        InvalidKind::Malformed
    );
}
