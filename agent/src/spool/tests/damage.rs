//! A damaged file: either everything is still there, or it is told. Never a panic, never silence.

use std::time::Instant;

use protocol::GapReason;

use super::{memory::Memory, *};
use crate::spool::{
    Beginning, Bounds, File, SpoolError, contents, files::Files, place::Place as _, rows,
};

const BOUNDS: Bounds = Bounds {
    max_bytes: u64::MAX,
    max_age: Duration::from_secs(1),
};

/// A spool with batches of two epochs, not closed, as after a kill; and what is in it.
fn sample(scratch: &Scratch) -> (Vec<u8>, Vec<(Epoch, u64, Bytes)>) {
    let (mut spool, _) = scratch.open();
    keep(&mut spool, 1, 1..=3, 9_000);
    keep(&mut spool, 2, 1..=6, 2_000);
    spool.committed(epoch(1), 1).unwrap();
    keep(&mut spool, 2, 7..=7, 100);
    let bytes = fs::read(scratch.file()).unwrap();
    (bytes, all(&spool))
}

/// Opens `bytes` as a spool: either all is there, or the loss is told and told on.
fn judge(bytes: &[u8], expected: &[(Epoch, u64, Bytes)], what: &str) -> bool {
    let start = Instant::now();
    let (mut spool, found) = Spool::open_on(Box::new(Memory::new(bytes)), BOUNDS).unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{what}: {:?}",
        start.elapsed()
    );
    let lost = match found {
        Found::Resumed => {
            assert_eq!(all(&spool), expected, "{what}");
            assert_eq!(spool.state().unwrap().unwrap(), b"state 2/7", "{what}");
            false
        }
        Found::Lost { aside, reason } => {
            assert_eq!(aside, PathBuf::from("aside"), "{what}");
            assert!(!reason.is_empty(), "{what}");
            assert_eq!(spool.waiting(), [], "{what}");
            true
        }
        Found::Nothing => panic!("{what}: nothing"),
    };
    let beginning = spool.begin(&header(9, 1)).unwrap();
    let previous = if lost { None } else { previous(2, 7) };
    assert_eq!(
        beginning,
        Beginning {
            next_seq: 1 + u64::from(lost),
            previous
        },
        "{what}"
    );
    spool
        .keep(&[entry(9, beginning.next_seq, 50)], None)
        .unwrap();
    lost
}

#[test]
fn a_flipped_bit_is_harmless_or_told() {
    let scratch = Scratch::new();
    let (bytes, expected) = sample(&scratch);
    let head = 0..600;
    let rest = (600..bytes.len()).step_by(397);
    let (mut told, mut harmless) = (0, 0);
    for at in head.chain(rest) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        match judge(&flipped, &expected, &format!("bit in byte {at}")) {
            true => told += 1,
            false => harmless += 1,
        }
    }
    // Both must occur, or this tests nothing.
    assert!(
        told > 50 && harmless > 500,
        "{told} told, {harmless} harmless"
    );
}

#[test]
fn a_file_closed_in_order_is_no_less_safe() {
    let scratch = Scratch::new();
    let (_, expected) = sample(&scratch);
    let bytes = fs::read(scratch.file()).unwrap();
    let mut told = 0;
    for at in (0..bytes.len()).step_by(499) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        told += u32::from(judge(&flipped, &expected, &format!("bit in byte {at}")));
    }
    assert!(told > 20, "{told}");
}

#[test]
fn zeros_and_noise_over_a_part_are_harmless_or_told() {
    let scratch = Scratch::new();
    let (bytes, expected) = sample(&scratch);
    for at in (0..bytes.len()).step_by(4_096) {
        let end = (at + 8_192).min(bytes.len());
        let mut zeroed = bytes.clone();
        zeroed[at..end].fill(0);
        judge(&zeroed, &expected, &format!("zeros from {at}"));
        let mut noisy = bytes.clone();
        noisy[at..end].copy_from_slice(&frame(77, at as u64, end - at));
        judge(&noisy, &expected, &format!("noise from {at}"));
    }
}

#[test]
fn a_truncated_file_is_told() {
    let scratch = Scratch::new();
    let (bytes, expected) = sample(&scratch);
    for len in (0..bytes.len())
        .step_by(1_009)
        .chain([1, 511, 512, bytes.len() - 1])
    {
        assert!(judge(&bytes[..len], &expected, &format!("cut to {len}")));
    }
    assert!(!judge(&bytes, &expected, "whole"));
}

#[test]
fn foreign_files_and_later_formats_are_put_aside() {
    let scratch = Scratch::new();
    let (bytes, expected) = sample(&scratch);
    let foreign = redb_file(&scratch);
    assert!(judge(&foreign, &expected, "a bare database"));
    assert!(judge(&frame(1, 1, 100_000), &expected, "noise"));
    let mut later = bytes.clone();
    for slot in [0, 4_096] {
        later[slot + 8] = 2;
        let sum = crc32fast::hash(&later[slot..slot + 508]);
        later[slot + 508..slot + 512].copy_from_slice(&sum.to_le_bytes());
    }
    assert!(judge(&later, &expected, "a later format"));
    fs::write(scratch.file(), &later).unwrap();
    let (_, found) = scratch.open();
    assert!(format!("{found:?}").contains("later agent"), "{found:?}");
}

fn redb_file(scratch: &Scratch) -> Vec<u8> {
    let path = scratch.0.join("other");
    drop(redb::Database::create(&path).unwrap());
    fs::read(path).unwrap()
}

#[test]
fn the_gap_that_tells_a_loss_is_not_forgotten_before_it_is_kept() {
    let scratch = Scratch::new();
    drop(scratch.open());
    fs::write(scratch.file(), "garbage").unwrap();
    let (mut spool, found) = scratch.open();
    let Found::Lost { reason, .. } = found else {
        panic!("{found:?}")
    };
    assert_eq!(spool.meters().lost_spools, 1);
    // Nothing can be kept before an epoch began.
    let refused = spool.keep(&[entry(1, 1, 10)], Some(b"never"));
    assert!(
        matches!(refused, Err(SpoolError::Lost { .. })),
        "{refused:?}"
    );
    drop(spool);

    let (mut spool, found) = scratch.open();
    assert_eq!(found, Found::Resumed);
    let told = Beginning {
        next_seq: 2,
        previous: None,
    };
    assert_eq!(spool.begin(&header(4, 1)).unwrap(), told);
    assert_eq!(spool.begin(&header(4, 1)).unwrap(), told);
    let expected = gap(
        &header(4, 1),
        GapReason::SpoolLost,
        &reason,
        Counts::default(),
    );
    assert_eq!(all(&spool), [(epoch(4), 1, expected)]);
    keep(&mut spool, 4, 2..=2, 10);
    drop(spool);
    let (mut spool, _) = scratch.open();
    let next = Beginning {
        next_seq: 1,
        previous: previous(4, 2),
    };
    assert_eq!(spool.begin(&header(5, 1)).unwrap(), next);
}

#[test]
fn a_frame_that_is_not_what_was_kept_becomes_a_gap_alone() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    keep(&mut spool, 1, 1..=3, 5_000);
    drop(spool);
    let bytes = Files::new(scratch.file()).current().unwrap().unwrap();
    let mut file = File::open(bytes).unwrap();
    contents::load(&mut file).unwrap();
    file.change(|rows| rows::put(rows, rows::frame(0, 2), b"something else"))
        .unwrap();
    drop(file);

    let (spool, found) = scratch.open();
    assert_eq!(found, Found::Resumed);
    let kept = all(&spool);
    assert_eq!(kept[0].2, frame(1, 1, 5_000));
    let message = "its bytes in the spool were damaged";
    let expected = gap(
        &header(1, 2),
        GapReason::SpoolLost,
        message,
        entry(1, 2, 0).rows,
    );
    assert_eq!(kept[1].2, expected);
    assert_eq!(kept[2].2, frame(1, 3, 5_000));
    assert_eq!(spool.meters().gaps.lost, 1);
}

#[test]
fn damage_under_a_running_agent_is_told_with_the_next_batch() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    keep(&mut spool, 1, 1..=100, 20_000);
    let len = fs::metadata(scratch.file()).unwrap().len();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(scratch.file())
        .unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![7; len as usize - 20_000], 10_000)
        .unwrap();
    let failed = (1..=100).find_map(|seq| spool.read(epoch(1), seq, 1).err());
    assert!(matches!(failed, Some(SpoolError::Read(_))), "{failed:?}");
    let lost = spool.keep(&[entry(1, 101, 10)], None);
    assert!(matches!(lost, Err(SpoolError::Lost { .. })), "{lost:?}");
    assert_eq!(spool.begin(&header(2, 1)).unwrap().next_seq, 2);
    keep(&mut spool, 2, 2..=3, 100);
    assert_eq!(all(&spool).len(), 3);
    assert_eq!(spool.meters().lost_spools, 1);
}
