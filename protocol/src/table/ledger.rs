//! What `reconcile` has besides the row of an agent: which batch the row stands for. No agent sends
//! these columns; whoever commits the batch knows them.

use super::{Kind, record::Columns};

const COLUMNS: [(&str, Kind, &str); 9] = [
    (
        "batch_kind",
        Kind::Text,
        "Whether the batch is `whole` or a `gap`.",
    ),
    (
        "prev_epoch",
        Kind::Text,
        "With seq 1: the epoch before in the same spool.",
    ),
    (
        "prev_last",
        Kind::Long,
        "With seq 1: the last seq of the epoch before.",
    ),
    (
        "gap_reason",
        Kind::Text,
        "Why a gap has no rows: `spool_full`, `spool_age`, `spool_lost` or `refused`.",
    ),
    ("gap_message", Kind::Text, "The same in words."),
    (
        "rows_lost_pod_usage",
        Kind::Long,
        "Rows of `pod_usage` that a gap stands for.",
    ),
    (
        "rows_lost_pod_network",
        Kind::Long,
        "Rows of `pod_network` that a gap stands for.",
    ),
    (
        "rows_lost_node_usage",
        Kind::Long,
        "Rows of `node_usage` that a gap stands for.",
    ),
    (
        "rows_lost_events",
        Kind::Long,
        "Rows of `events` that a gap stands for.",
    ),
];

/// Adds them.
pub(super) fn describe(columns: &mut Columns) {
    for (name, kind, doc) in COLUMNS {
        columns.push(name, doc, kind);
        columns.last_is_of_ledger();
    }
}
