//! Completes the rows of a file with what is known of their pods when it is made: as late as can be, so that rows which came
//! before their metadata have it too. One row in, one row out.

mod found;

use protocol::Table;

use super::{
    input::Inputs,
    known::{Facts, Known, PodFacts, TextId},
    stored::Stored,
    texts::ABSENT,
};
use found::{Found, Wanted};

/// A column of texts that is completed.
struct TextColumn {
    name: &'static str,
    rule: Rule,
    /// What a pod has there.
    of: fn(&PodFacts<'_>) -> Option<TextId>,
    /// Where it has nothing, its name stands there.
    or_name: bool,
}

impl TextColumn {
    const fn new(name: &'static str, rule: Rule, of: fn(&PodFacts<'_>) -> Option<TextId>) -> Self {
        Self {
            name,
            rule,
            of,
            or_name: false,
        }
    }

    const fn or_name(self) -> Self {
        Self {
            or_name: true,
            ..self
        }
    }
}

/// All of them.
const TEXTS: [TextColumn; 10] = [
    TextColumn::new("namespace", Rule::Lacking, |pod| Some(pod.namespace)),
    TextColumn::new("pod_name", Rule::Lacking, |_| None).or_name(),
    TextColumn::new("owner", Rule::Always, |pod| pod.owner),
    TextColumn::new("workload_kind", Rule::Always, |pod| Some(pod.workload_kind)),
    TextColumn::new("workload", Rule::Always, |pod| pod.workload).or_name(),
    TextColumn::new("qos", Rule::Lacking, |pod| pod.qos),
    TextColumn::new("ec2_instance_id", Rule::Lacking, |pod| {
        pod.place.instance_id
    }),
    TextColumn::new("instance_type", Rule::Lacking, |pod| {
        pod.place.instance_type
    }),
    TextColumn::new("zone", Rule::Lacking, |pod| pod.place.zone),
    TextColumn::new("region", Rule::Lacking, |pod| pod.place.region),
];
/// Those of them that `pod_network` has too.
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
    let texts = TEXTS.map(|column| match column.rule {
        Rule::Always => true,
        Rule::Lacking => !lacking(inputs, column.name, &ids).is_empty(),
    });
    let wanted = Wanted {
        texts,
        others: true,
    };
    let found = Found::new(&ids, &wanted, &mut inputs.pool, facts);
    if found.is_empty() {
        return;
    }
    fill_texts(inputs, &found);
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
    let mut unnamed = vec![ABSENT; ids.len()];
    for name in NAMES {
        for row in lacking(inputs, name, &ids) {
            if let (Some(slot), Some(id)) = (unnamed.get_mut(row), ids.get(row)) {
                *slot = *id;
            }
        }
    }
    let wanted = Wanted {
        texts: TEXTS.map(|column| NAMES.contains(&column.name)),
        others: false,
    };
    let found = Found::new(&unnamed, &wanted, &mut inputs.pool, facts);
    fill_texts(inputs, &found);
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
    let is_pod = |row: &usize| ids.get(*row).is_some_and(|id| *id != ABSENT);
    match column(inputs, name) {
        Some(Stored::Texts(texts)) => texts.rows_of(ABSENT).filter(is_pod).collect(),
        _ => (0..ids.len()).filter(is_pod).collect(),
    }
}

fn column<'a>(inputs: &'a mut Inputs, name: &str) -> Option<&'a mut Stored> {
    let mut columns = inputs.table.columns().iter();
    let at = columns.position(|column| column.name == name)?;
    inputs.columns.get_mut(at)
}

fn fill_texts(inputs: &mut Inputs, found: &Found) {
    for (TextColumn { name, rule, .. }, values) in TEXTS.into_iter().zip(&found.texts) {
        // Of columns that nobody wanted there are none.
        if !values.is_empty()
            && let Some(stored) = column(inputs, name)
        {
            let is_filled = |number: u32| rule == Rule::Lacking && number != ABSENT;
            stored.fill_texts(|row, number| match found.of(values, row) {
                Some(value) if value != ABSENT && !is_filled(number) => value,
                _ => number,
            });
        }
    }
}
