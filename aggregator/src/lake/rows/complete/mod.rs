//! Completes the rows of a file with what is known of their pods when it is made: as late as can be, so that rows which came
//! before their metadata have it too. One row in, one row out.

mod found;

use protocol::Table;

use super::{
    input::Inputs,
    known::{Facts, Known},
    stored::Stored,
    texts::ABSENT,
};
use found::Found;

/// Columns of texts that are completed.
const TEXTS: [(&str, Rule); 10] = [
    ("namespace", Rule::Lacking),
    ("pod_name", Rule::Lacking),
    ("owner", Rule::Always),
    ("workload_kind", Rule::Always),
    ("workload", Rule::Always),
    ("qos", Rule::Lacking),
    ("ec2_instance_id", Rule::Lacking),
    ("instance_type", Rule::Lacking),
    ("zone", Rule::Lacking),
    ("region", Rule::Lacking),
];
/// The first of them, which `pod_network` has too.
const NAMES: [&str; 2] = ["namespace", "pod_name"];
/// Columns of numbers.
const LONGS: [&str; 6] = [
    "requests_cpu_millicores",
    "requests_memory_bytes",
    "limits_cpu_millicores",
    "limits_memory_bytes",
    "pvc_count",
    "total_pvc_storage_bytes",
];
/// Columns of lists.
const LISTS: [&str; 4] = ["labels", "annotations", "pvc_names", "aws_volume_ids"];

/// Which rows of a column are completed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Those without a value.
    Lacking,
    /// All: what is known here is known better than at the agent, who sees no `ReplicaSet`s.
    Always,
}

/// Completes rows in place.
pub fn complete(inputs: &mut Inputs, known: &dyn Known) {
    match inputs.table {
        Table::PodUsage => known.read(&mut |facts| usage(inputs, facts)),
        Table::PodNetwork => known.read(&mut |facts| network(inputs, facts)),
        Table::NodeUsage | Table::Events | Table::Reconcile => {}
    }
}

fn usage(inputs: &mut Inputs, facts: &dyn Facts) {
    let ids = ids(inputs);
    let wants_names = !lacking(inputs, "pod_name", &ids).is_empty();
    let found = Found::new(&ids, wants_names, &mut inputs.pool, facts);
    if found.is_empty() {
        return;
    }
    fill_texts(inputs, &found, &TEXTS);
    for (name, values) in LONGS.into_iter().zip(&found.longs) {
        if let Some(stored) = column(inputs, name) {
            stored.fill_longs(|row| found.of(values, row)?.get());
        }
    }
    if let Some(stored) = column(inputs, "host_network") {
        stored.fill_booleans(|row| found.of(&found.host_network, row));
    }
    for (name, lists) in LISTS.into_iter().zip(&found.lists) {
        if let Some(stored) = column(inputs, name) {
            stored.fill_lists(&lists.items, |row| found.of(&lists.spans, row));
        }
    }
}

fn network(inputs: &mut Inputs, facts: &dyn Facts) {
    let ids = ids(inputs);
    // Most rows have both names; only the others are worth a look.
    let mut wanted = vec![ABSENT; ids.len()];
    for name in NAMES {
        for row in lacking(inputs, name, &ids) {
            if let (Some(slot), Some(id)) = (wanted.get_mut(row), ids.get(row)) {
                *slot = *id;
            }
        }
    }
    let found = Found::new(&wanted, true, &mut inputs.pool, facts);
    if !found.is_empty() {
        fill_texts(inputs, &found, TEXTS.get(..NAMES.len()).unwrap_or_default());
    }
}

/// The pod of each row by its number in the pool. Paths of cgroups are no pods.
fn ids(inputs: &mut Inputs) -> Vec<u32> {
    let Some(Stored::Texts(ids)) = column(inputs, "pod_id") else {
        return Vec::new();
    };
    let mut ids = ids.to_vec();
    for id in &mut ids {
        if inputs.pool.get(*id).starts_with('/') {
            *id = ABSENT;
        }
    }
    ids
}

/// Rows of pods that have no value.
fn lacking(inputs: &mut Inputs, name: &str, ids: &[u32]) -> Vec<usize> {
    let texts = match column(inputs, name) {
        Some(Stored::Texts(texts)) => texts.to_vec(),
        _ => vec![ABSENT; ids.len()],
    };
    let rows = texts.iter().zip(ids).enumerate();
    let lacks = rows.filter(|(_, (text, id))| **text == ABSENT && **id != ABSENT);
    lacks.map(|(row, _)| row).collect()
}

fn column<'a>(inputs: &'a mut Inputs, name: &str) -> Option<&'a mut Stored> {
    let mut columns = inputs.table.columns().iter();
    let at = columns.position(|column| column.name == name)?;
    inputs.columns.get_mut(at)
}

fn fill_texts(inputs: &mut Inputs, found: &Found, columns: &[(&str, Rule)]) {
    for ((name, rule), values) in columns.iter().zip(&found.texts) {
        if let Some(stored) = column(inputs, name)
            && (*rule == Rule::Always || stored.lacks_texts())
        {
            let is_filled = |number: u32| *rule == Rule::Lacking && number != ABSENT;
            stored.fill_texts(|row, number| match found.of(values, row) {
                Some(value) if value != ABSENT && !is_filled(number) => value,
                _ => number,
            });
        }
    }
}
