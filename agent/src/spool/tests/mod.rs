//! On real files. Loss of power and failing disks are tested on a disk in memory, beside the simulation.

mod bounds;
mod damage;
mod memory;
mod order;
mod places;

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use protocol::{Counts, Epoch, Header, Previous, Table, Timestamp};

use super::{Entry, Found, Settings, Spool};

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("podledger-spool-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn file(&self) -> PathBuf {
        self.0.join("spool.redb")
    }

    fn settings(&self, max_bytes: u64) -> Settings {
        Settings {
            file: self.file(),
            max_bytes,
            max_age: Duration::from_secs(7 * 24 * 3600),
        }
    }

    fn open(&self) -> (Spool, Found) {
        Spool::open(self.settings(u64::MAX)).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn epoch(number: u8) -> Epoch {
    Epoch([number; 16])
}

/// Batch `seq` of an epoch, whose window ends at `seq` seconds.
fn header(number: u8, seq: u64) -> Header {
    Header {
        cluster: "prod".to_owned(),
        node: "node-1".to_owned(),
        boot_id: "boot".to_owned(),
        epoch: epoch(number),
        seq,
        previous: None,
        window_start: Timestamp {
            unix_us: (seq as i64 - 1) * 1_000_000,
        },
        window_end: Timestamp {
            unix_us: seq as i64 * 1_000_000,
        },
    }
}

/// Bytes that don't repeat, so that no other batch's can stand for them.
fn frame(number: u8, seq: u64, len: usize) -> Bytes {
    let mut state = u64::from(number) << 32 | seq;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn entry(number: u8, seq: u64, len: usize) -> Entry {
    let mut rows = Counts::default();
    rows[Table::PodUsage] = seq;
    Entry {
        header: header(number, seq),
        rows,
        frame: frame(number, seq, len),
    }
}

/// Keeps these seqs of an epoch, each with its own state.
fn keep(spool: &mut Spool, number: u8, seqs: std::ops::RangeInclusive<u64>, len: usize) {
    for seq in seqs {
        let state = format!("state {number}/{seq}");
        spool
            .keep(&[entry(number, seq, len)], Some(state.as_bytes()))
            .unwrap();
    }
}

/// All that waits, in the order in which it is sent.
fn all(spool: &Spool) -> Vec<(Epoch, u64, Bytes)> {
    let mut batches = Vec::new();
    for waiting in spool.waiting() {
        let mut next = waiting.first;
        while next <= waiting.last {
            let some = spool.read(waiting.epoch, next, 50_000).unwrap();
            assert_eq!(some.first().map(|(seq, _)| *seq), Some(next));
            for (seq, frame) in some {
                assert_eq!(seq, next);
                next += 1;
                batches.push((waiting.epoch, seq, frame));
            }
        }
    }
    batches
}

/// The gap that takes a batch's place.
fn gap(header: &Header, reason: protocol::GapReason, message: &str, rows_lost: Counts) -> Bytes {
    let gap = protocol::Gap {
        reason,
        message: message.to_owned(),
        rows_lost,
    };
    protocol::encode_gap(header, &gap).into()
}

fn previous(number: u8, last: u64) -> Option<Previous> {
    Some(Previous {
        epoch: epoch(number),
        last,
    })
}
