//! A watermark as an immutable object of its own number: `<table>/_podledger/wm/<n>`. Vacuum skips
//! names that begin with `_`.

use std::io::Read as _;

use bytes::Bytes;
use object_store::path::Path;
use prost::Message as _;
use protocol::{Epoch, Timestamp};

use super::{
    LakeError,
    store::{Created, Store},
};
use crate::{
    held::Sender,
    intake::{Mark, Sealed, Watermark},
};

/// More than a million senders.
const MOST_BYTES: u64 = 256 << 20;
/// Fast, and small enough: names of nodes and random numbers.
const LEVEL: i32 = 3;

#[derive(Clone, PartialEq, prost::Message)]
struct Object {
    /// The table's name and the object's number: a misplaced object is noticed.
    #[prost(string, tag = "1")]
    table: String,
    #[prost(uint64, tag = "2")]
    number: u64,
    #[prost(message, repeated, tag = "3")]
    nodes: Vec<Node>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Node {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    epochs: Vec<One>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct One {
    #[prost(bytes = "vec", tag = "1")]
    epoch: Vec<u8>,
    #[prost(uint64, tag = "2")]
    seq: u64,
    #[prost(int64, tag = "3")]
    window_end_us: i64,
}

/// Where a table's watermarks are.
pub fn folder(table: &Path) -> Path {
    table.clone().join("_podledger").join("wm")
}

/// Where the watermark of this number is.
pub fn path(table: &Path, number: u64) -> Path {
    folder(table).join(format!("{number:020}"))
}

/// Reads one, if it is there.
pub async fn load(
    store: &Store,
    table: &Path,
    number: u64,
) -> Result<Option<Watermark>, LakeError> {
    let path = path(table, number);
    let Some(bytes) = store.get(&path).await? else {
        return Ok(None);
    };
    let marks = decode(table, number, &bytes).map_err(|problem| LakeError::BadWatermark {
        path: path.to_string(),
        problem,
    })?;
    Ok(Some(marks))
}

/// Puts one under the first free number after `after`. One that is taken may be our own, from a put
/// whose answer was lost: it is left alone all the same, so that a number never has two contents.
pub async fn claim(
    store: &Store,
    table: &Path,
    after: u64,
    marks: &Watermark,
) -> Result<u64, LakeError> {
    let mut number = after;
    loop {
        number = number.saturating_add(1);
        let path = path(table, number);
        let bytes = encode(table, number, marks).map_err(|error| LakeError::BadWatermark {
            path: path.to_string(),
            problem: error.to_string(),
        })?;
        if store.create(&path, &bytes).await? == Created::Surely {
            return Ok(number);
        }
    }
}

/// What a table's watermark becomes by a commit. `gaps_count` in the ledger only: a gap raised over a
/// whole batch of the same seq, which another aggregator may hold, would make its rows vanish. A gap's
/// window may be of any age: its sender is alive `now`.
pub fn raised(marks: &Watermark, sealed: &Sealed, gaps_count: bool, now: Timestamp) -> Watermark {
    let mut raised = marks.clone();
    for batch in &sealed.batches {
        if batch.gap.is_some() && !gaps_count {
            continue;
        }
        let window_end = match batch.gap {
            Some(_) => now,
            None => batch.window_end,
        };
        let new = Mark { seq: 0, window_end };
        let mark = raised.entry(batch.sender.clone()).or_insert(new);
        mark.seq = mark.seq.max(batch.seq);
        mark.window_end = mark.window_end.max(window_end);
    }
    raised
}

/// Forgets those who were idle for this long before `now`. A clock that runs ahead of every node's does
/// not count, or it would forget them all.
pub fn prune(marks: &mut Watermark, now: Timestamp, idle: std::time::Duration) {
    let newest = marks.values().map(|mark| mark.window_end).max();
    let idle_us = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
    let oldest = newest.map_or(now, |newest| newest.min(now));
    let oldest = oldest.plus_us(-idle_us);
    marks.retain(|_, mark| mark.window_end >= oldest);
}

fn encode(table: &Path, number: u64, marks: &Watermark) -> std::io::Result<Bytes> {
    let mut nodes: Vec<Node> = Vec::new();
    for (sender, mark) in marks {
        let one = One {
            epoch: sender.epoch.0.to_vec(),
            seq: mark.seq,
            window_end_us: mark.window_end.unix_us,
        };
        match nodes.last_mut() {
            Some(node) if *node.name == *sender.node => node.epochs.push(one),
            _ => nodes.push(Node {
                name: sender.node.to_string(),
                epochs: vec![one],
            }),
        }
    }
    let object = Object {
        table: table.filename().unwrap_or_default().to_owned(),
        number,
        nodes,
    };
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    std::io::Write::write_all(&mut encoder, &object.encode_to_vec())?;
    encoder.finish().map(Bytes::from)
}

fn decode(table: &Path, number: u64, bytes: &[u8]) -> Result<Watermark, String> {
    let mut content = Vec::new();
    let decoder = zstd::Decoder::new(bytes).map_err(|error| error.to_string())?;
    let read = decoder.take(MOST_BYTES).read_to_end(&mut content);
    read.map_err(|error| error.to_string())?;
    let object = Object::decode(content.as_slice()).map_err(|error| error.to_string())?;
    let name = table.filename().unwrap_or_default();
    if object.table != name || object.number != number {
        let (table, number) = (&object.table, object.number);
        return Err(format!("it is the one of {table} with number {number}"));
    }
    let mut marks = Watermark::new();
    for node in object.nodes {
        let name: std::sync::Arc<str> = node.name.into();
        for one in node.epochs {
            let epoch = <[u8; 16]>::try_from(one.epoch).map_err(|_| "an epoch has not 16 bytes")?;
            let sender = Sender {
                node: name.clone(),
                epoch: Epoch(epoch),
            };
            let mark = Mark {
                seq: one.seq,
                window_end: Timestamp {
                    unix_us: one.window_end_us,
                },
            };
            marks.insert(sender, mark);
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn marks(of: &[(&str, u8, u64, i64)]) -> Watermark {
        let one = |&(node, epoch, seq, unix_us): &(&str, u8, u64, i64)| {
            let sender = Sender {
                node: node.into(),
                epoch: Epoch([epoch; 16]),
            };
            let window_end = Timestamp { unix_us };
            (sender, Mark { seq, window_end })
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn an_object_reads_back_and_damage_is_noticed() {
        let table = Path::from("p/events");
        let marks = marks(&[("a", 1, 5, 9), ("a", 2, 1, 10), ("b", 1, 7, 11)]);
        let bytes = encode(&table, 3, &marks).unwrap();
        assert_eq!(decode(&table, 3, &bytes), Ok(marks));
        assert!(decode(&table, 4, &bytes).unwrap_err().contains("number 3"));
        assert!(decode(&Path::from("p/reconcile"), 3, &bytes).is_err());
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            let read = decode(&table, 3, &damaged);
            assert!(read.is_err() || read == decode(&table, 3, &bytes), "{at}");
        }
        assert!(decode(&table, 3, &bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&table, 3, b"").is_err());
    }

    #[test]
    fn numbers_sort_as_text() {
        let path = path(&Path::from("p/events"), 42);
        assert_eq!(path.as_ref(), "p/events/_podledger/wm/00000000000000000042");
    }

    #[test]
    fn who_is_idle_is_forgotten_by_the_nodes_own_time() {
        let second = 1_000_000;
        let idle = Duration::from_secs(10);
        let all = marks(&[("a", 1, 5, 0), ("b", 1, 7, 100 * second)]);
        let left = |now| {
            let mut marks = all.clone();
            prune(&mut marks, Timestamp { unix_us: now }, idle);
            marks.len()
        };
        assert_eq!(left(100 * second), 1, "a has been idle");
        assert_eq!(left(9 * second), 2, "by this clock not yet");
        assert_eq!(
            left(1_000_000 * second),
            1,
            "a clock that is ahead forgets nobody else"
        );
    }
}
