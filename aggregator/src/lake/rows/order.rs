//! Where each row goes: equal texts beside each other make the files small and their statistics
//! sharp.

use protocol::Column;

use super::{
    WriteError, column,
    input::{Input, Inputs},
    ranks::ranks,
    texts::{ABSENT, Pool, as_u32},
};

/// Columns that rows of workloads are sorted by, before the end of their window.
pub const WORKLOAD: [&str; 3] = ["namespace", "pod_name", "pod_id"];
/// The one that rows of nodes are sorted by, before the end of their window.
pub const NODE: [&str; 1] = ["node_name"];

/// Names of the columns that a table is sorted by; `window_end` follows them.
pub fn keys(columns: &[Column]) -> &'static [&'static str] {
    match columns.iter().any(|column| column.name == "pod_id") {
        true => &WORKLOAD,
        false => &NODE,
    }
}

/// The place of each row, the rows being those of the batches one after the other.
pub fn places(inputs: &mut Inputs, columns: &[Column]) -> Result<Vec<u32>, WriteError> {
    let as_they_came: Vec<u32> = (0..as_u32(inputs.rows)).collect();
    let mut sorted: Vec<(u128, u32)> = as_they_came.iter().map(|row| (0, *row)).collect();
    for name in keys(columns) {
        if let Some(column) = columns.iter().find(|column| column.name == *name) {
            let numbers = column::numbers(inputs, column, &as_they_came)?;
            append(&mut sorted, &inputs.pool, &numbers);
        }
    }
    append_window_ends(&mut sorted, inputs);
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
fn append(sorted: &mut [(u128, u32)], pool: &Pool, numbers: &[u32]) {
    let ranks = ranks(pool, numbers);
    for ((key, _), number) in sorted.iter_mut().zip(numbers) {
        let rank = match *number {
            ABSENT => 0,
            number => ranks.get(number as usize).copied().unwrap_or(0),
        };
        *key = (*key << 32) | u128::from(rank);
    }
}

fn append_window_ends(sorted: &mut [(u128, u32)], inputs: &Inputs) {
    let end = |batch: &Input| batch.header.window_end;
    let mut ends: Vec<_> = inputs.batches.iter().map(end).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut sorted = sorted.iter_mut();
    for batch in &inputs.batches {
        let rank = ends.partition_point(|known| *known < end(batch));
        for (key, _) in sorted.by_ref().take(batch.len()) {
            *key = (*key << 32) | u128::from(as_u32(rank));
        }
    }
}
