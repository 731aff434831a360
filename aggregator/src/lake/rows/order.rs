//! Where each row goes: equal texts beside each other make the files small and their statistics
//! sharp.

use protocol::Table;

use super::{
    input::Inputs,
    ranks::{self, Ranks},
    stored::Stored,
    texts::{ABSENT, Pool, as_u32},
};

/// Columns that rows of workloads are sorted by.
const WORKLOAD: [&str; 4] = ["namespace", "pod_name", "pod_id", "window_end"];
/// And what happened to them.
const EVENT: [&str; 4] = ["namespace", "pod_name", "pod_id", "timestamp"];
/// Columns that rows of nodes are sorted by.
const NODE: [&str; 2] = ["node_name", "window_end"];

/// Names of the columns that a table is sorted by.
pub const fn keys(table: Table) -> &'static [&'static str] {
    match table {
        Table::PodUsage | Table::PodNetwork => &WORKLOAD,
        Table::Events => &EVENT,
        Table::NodeUsage | Table::Reconcile => &NODE,
    }
}

/// Texts that come in so many rows each, or more, are put into keys by their rank: it is shorter.
const RANKED: usize = 8;

/// The rows in their order, each by its number among those of the batches one after the other.
pub fn order(inputs: &Inputs) -> Vec<u32> {
    let keys = Keys::new(&parts(inputs), inputs);
    ranks::sorted((0..as_u32(inputs.rows)).collect(), &|row| keys.of(row))
}

/// A column's part of the keys, by row.
enum Part {
    /// Numbers of texts, and the order of the texts where there are few.
    Texts(Vec<u32>, Option<Ranks>),
    Times(Vec<i64>),
}

fn parts(inputs: &Inputs) -> Vec<Part> {
    let part = |name: &&str| {
        let mut columns = inputs.table.columns().iter();
        let column = columns.position(|column| column.name == *name)?;
        match inputs.columns.get(column)? {
            Stored::Texts(rows) => {
                let numbers = rows.to_vec();
                let distinct = ranks::distinct(&inputs.pool, &numbers);
                let few = distinct.len() <= numbers.len() / RANKED;
                let ranks = few.then(|| Ranks::new(&inputs.pool, distinct));
                Some(Part::Texts(numbers, ranks))
            }
            Stored::Longs(rows) => Some(Part::Times(rows.values.to_vec())),
            // No row has a value, which orders nothing.
            _ => None,
        }
    };
    keys(inputs.table).iter().filter_map(part).collect()
}

/// What rows are sorted by: bytes that compare as the columns do, one after the other.
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    fn new(parts: &[Part], inputs: &Inputs) -> Self {
        let mut keys = Self {
            bytes: Vec::new(),
            ends: Vec::with_capacity(inputs.rows),
        };
        for row in 0..inputs.rows {
            for part in parts {
                part.append(row, &inputs.pool, &mut keys.bytes);
            }
            keys.ends.push(keys.bytes.len());
        }
        keys
    }

    fn of(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let before = row.checked_sub(1).and_then(|row| self.ends.get(row));
        let start = before.copied().unwrap_or(0);
        let end = self.ends.get(row).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }
}

impl Part {
    fn append(&self, row: usize, pool: &Pool, key: &mut Vec<u8>) {
        match self {
            Self::Texts(numbers, ranks) => {
                let number = numbers.get(row).copied().unwrap_or(ABSENT);
                match ranks {
                    // What is absent comes first.
                    Some(_) if number == ABSENT => key.extend_from_slice(&[0; 4]),
                    Some(ranks) => {
                        let rank = ranks.of(number).saturating_add(1);
                        key.extend_from_slice(&rank.to_be_bytes());
                    }
                    None if number == ABSENT => key.extend_from_slice(&[0, 0]),
                    None => text(pool.get(number).as_bytes(), key),
                }
            }
            Self::Times(times) => {
                let time = times.get(row).copied().unwrap_or(0);
                // Negative ones before the others.
                let time = time.cast_unsigned() ^ (1 << 63);
                key.extend_from_slice(&time.to_be_bytes());
            }
        }
    }
}

/// A text and its end: `[0, 1]` is less than whatever can go on, even a zero, which is `[0, 255]`.
fn text(text: &[u8], key: &mut Vec<u8>) {
    let mut parts = text.split(|byte| *byte == 0);
    key.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        key.extend_from_slice(&[0, 255]);
        key.extend_from_slice(part);
    }
    key.extend_from_slice(&[0, 1]);
}
