//! Which columns are like which others. That is where to look: what is smaller is tried out.

use super::{Collected, columns::Draft, numbers::Near};
use crate::{
    Kind, Table,
    codec::code::{like_doubles, like_longs},
    table::sinks::Sink,
};

/// Columns whose values are near those of another before them.
const BASES: [(Table, &str, &[&str]); 3] = [
    (
        Table::PodUsage,
        "memory_working_set_bytes",
        &["memory_usage_bytes"],
    ),
    (
        Table::PodUsage,
        "memory_rss_bytes",
        &["memory_working_set_bytes", "memory_usage_bytes"],
    ),
    (
        Table::PodUsage,
        "memory_peak_bytes",
        &["memory_usage_bytes"],
    ),
];
/// Columns whose values are about as long as those of another before them.
const LIKES: [(Table, &str, &[&str]); 10] = [
    (Table::PodUsage, "net_rx_bytes", &["net_tx_bytes"]),
    (Table::PodUsage, "cpu_peak_cores", &["cpu_seconds"]),
    (Table::PodUsage, "cpu_p99_cores", &["cpu_peak_cores"]),
    (
        Table::PodUsage,
        "cpu_over_request_seconds",
        &["cpu_seconds"],
    ),
    (Table::PodUsage, "psi_cpu_some_seconds", &["cpu_seconds"]),
    (
        Table::PodUsage,
        "psi_cpu_full_seconds",
        &["psi_cpu_some_seconds"],
    ),
    (
        Table::PodUsage,
        "psi_io_full_seconds",
        &["psi_io_some_seconds"],
    ),
    (Table::PodNetwork, "tx_packets_delta", &["tx_bytes_delta"]),
    (
        Table::PodNetwork,
        "rx_bytes_delta",
        &["tx_bytes_delta", "tx_packets_delta"],
    ),
    (
        Table::PodNetwork,
        "rx_packets_delta",
        &["rx_bytes_delta", "tx_packets_delta"],
    ),
];

/// Those near a column that has a value in every row, of the columns before it.
pub(super) fn to<'a>(collected: &'a Collected, name: &str, drafts: &[Draft]) -> Near<'a> {
    let find = |list: &[(Table, &str, &'static [&'static str])]| {
        let mut entries = list.iter();
        let entry = entries.find(|(table, of, _)| *table == collected.table && *of == name);
        entry.map_or(&[][..], |(_, _, others)| *others)
    };
    let bases = find(&BASES)
        .iter()
        .filter_map(|name| early(collected, name, drafts));
    let likes = find(&LIKES)
        .iter()
        .filter_map(|name| early(collected, name, drafts));
    Near {
        bases: bases
            .map(|(id, _, sink)| (id, sink.longs.as_slice()))
            .collect(),
        likes: likes
            .map(|(id, kind, sink)| match kind {
                Kind::Double => (id, like_doubles(&sink.doubles)),
                _ => (id, like_longs(&sink.longs)),
            })
            .collect(),
    }
}

/// A column that has a value in every row and is read before others.
fn early<'a>(
    collected: &'a Collected,
    name: &str,
    drafts: &[Draft],
) -> Option<(u32, Kind, &'a Sink)> {
    let mut columns = collected.table.columns().iter().zip(&collected.sinks);
    let (column, sink) = columns.find(|(column, _)| column.name == name)?;
    let draft = drafts.iter().find(|draft| draft.column.id == column.id)?;
    draft.is_early().then_some((column.id, column.kind, sink))
}
