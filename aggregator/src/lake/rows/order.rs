//! Where each row goes: equal texts beside each other make the files small and their statistics
//! sharp.

use protocol::{Kind, Table};

use super::{
    WriteError, column,
    input::Inputs,
    ranks::ranks,
    texts::{ABSENT, Pool, as_u32},
};

/// Columns that rows of workloads are sorted by.
const WORKLOAD: [&str; 4] = ["namespace", "pod_name", "pod_id", "window_end"];
/// And what happened to them.
const EVENT: [&str; 4] = ["namespace", "pod_name", "pod_id", "timestamp"];
/// Columns that rows of nodes are sorted by.
const NODE: [&str; 2] = ["node_name", "window_end"];

/// Names of the columns that a table is sorted by, at most four: their ranks are one number.
pub const fn keys(table: Table) -> &'static [&'static str] {
    match table {
        Table::PodUsage | Table::PodNetwork => &WORKLOAD,
        Table::Events => &EVENT,
        Table::NodeUsage | Table::Reconcile => &NODE,
    }
}

/// The place of each row, the rows being those of the batches one after the other.
pub fn places(inputs: &mut Inputs, table: Table) -> Result<Vec<u32>, WriteError> {
    let columns = table.columns();
    let as_they_came: Vec<u32> = (0..as_u32(inputs.rows)).collect();
    let mut sorted: Vec<(u128, u32)> = as_they_came.iter().map(|row| (0, *row)).collect();
    for name in keys(table) {
        match columns.iter().find(|column| column.name == *name) {
            Some(column) if column.kind == Kind::Text => {
                let numbers = column::texts(inputs, column, &as_they_came)?;
                append_texts(&mut sorted, &inputs.pool, &numbers);
            }
            Some(column) => {
                let (times, _) = column::numbers(inputs, column, &as_they_came);
                append_times(&mut sorted, &times);
            }
            None => {}
        }
    }
    sorted.sort_unstable();
    let mut places = vec![0; sorted.len()];
    for (place, (_, row)) in (0..).zip(sorted) {
        if let Some(slot) = places.get_mut(row as usize) {
            *slot = place;
        }
    }
    Ok(places)
}

/// Makes a text's rank the next 32 bits of each key.
fn append_texts(sorted: &mut [(u128, u32)], pool: &Pool, numbers: &[u32]) {
    let ranks = ranks(pool, numbers);
    for ((key, _), number) in sorted.iter_mut().zip(numbers) {
        let rank = match *number {
            ABSENT => 0,
            number => ranks.get(number as usize).copied().unwrap_or(0),
        };
        *key = (*key << 32) | u128::from(rank);
    }
}

/// The same of times, of which there are few.
fn append_times(sorted: &mut [(u128, u32)], times: &[i64]) {
    let mut distinct = times.to_vec();
    distinct.dedup();
    distinct.sort_unstable();
    distinct.dedup();
    for ((key, _), time) in sorted.iter_mut().zip(times) {
        let rank = distinct.partition_point(|known| known < time);
        *key = (*key << 32) | u128::from(as_u32(rank));
    }
}
