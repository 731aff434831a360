//! What a batch's header tells, or its being a gap: the same in all of its rows.

use protocol::{GapReason, Table, Timestamp};

use super::input::{Input, Rows};

/// What a column of the header holds in a batch's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Absent,
    /// A text.
    Text(String),
    /// A number, or a time in microseconds.
    Long(i64),
}

/// What is told of the column of this name; `None` if nothing tells such a thing.
pub fn told(name: &str, input: &Input) -> Option<Told> {
    let header = &input.header;
    let told = match name {
        "cluster_id" => Told::Text(header.cluster.clone()),
        "node_name" => Told::Text(header.node.clone()),
        "boot_id" => Told::Text(header.boot_id.clone()),
        "epoch" => Told::Text(header.epoch.to_string()),
        "seq" => long(header.seq),
        "window_start" => at(header.window_start),
        "timestamp" | "window_end" => at(header.window_end),
        "prev_epoch" => header.previous.map_or(Told::Absent, |previous| {
            Told::Text(previous.epoch.to_string())
        }),
        "prev_last" => header
            .previous
            .map_or(Told::Absent, |previous| long(previous.last)),
        _ => return of_gap(name, input),
    };
    Some(told)
}

/// A number that a gap's one row has, though no agent filled it in: its times are the header's, and no
/// rows came with it.
pub fn told_of_gap(name: &str, input: &Input) -> Option<i64> {
    if matches!(input.rows, Rows::Data(_)) {
        return None;
    }
    match told(name, input) {
        Some(Told::Long(value)) => Some(value),
        Some(Told::Text(_) | Told::Absent) => None,
        None => name.starts_with("rows_").then_some(0),
    }
}

fn of_gap(name: &str, input: &Input) -> Option<Told> {
    let gap = match &input.rows {
        Rows::Gap(gap) => Some(gap),
        Rows::Data(_) => None,
    };
    let told = match name {
        "batch_kind" => Some(Told::Text(kind(gap.is_some()).to_owned())),
        "gap_reason" => gap.map(|gap| Told::Text(reason(gap.reason).to_owned())),
        "gap_message" => gap.map(|gap| Told::Text(gap.message.clone())),
        _ => {
            let lost = name.strip_prefix("rows_lost_")?;
            let mut tables = Table::ALL.into_iter();
            let table = tables.find(|table| table.name() == lost)?;
            gap.map(|gap| long(gap.rows_lost[table]))
        }
    };
    Some(told.unwrap_or(Told::Absent))
}

/// `batch_kind`.
const fn kind(is_gap: bool) -> &'static str {
    if is_gap { "gap" } else { "whole" }
}

/// `gap_reason`.
const fn reason(reason: GapReason) -> &'static str {
    match reason {
        GapReason::SpoolFull => "spool_full",
        GapReason::SpoolAge => "spool_age",
        GapReason::SpoolLost => "spool_lost",
        GapReason::Refused => "refused",
    }
}

/// Tables have signed numbers only.
fn long(number: u64) -> Told {
    Told::Long(i64::try_from(number).unwrap_or(i64::MAX))
}

fn at(time: Timestamp) -> Told {
    Told::Long(time.unix_us)
}
