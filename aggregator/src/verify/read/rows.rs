//! Rows of the other tables: how many of each batch, and what those of `pod_usage` add up to.

use arrow_array::{Array as _, Float64Array, ListArray, cast::AsArray as _};
use protocol::{Table, Timestamp};

use super::columns::{Columns, Key, Longs, Texts, Times};
use crate::verify::case::{Case, Counted, DATA_TABLES, Figures};
use crate::verify::error::VerifyError;

/// All that is read of a table.
pub(super) fn columns(table: Table) -> Vec<String> {
    let mut names = vec!["node_name", "epoch", "seq", "window_end"];
    match table {
        Table::PodUsage => {
            names.extend(["pod_id", "sources", "cpu_seconds"]);
            names.extend(TRAFFIC);
        }
        // It has no windows.
        Table::Events => names.push("timestamp"),
        _ => {}
    }
    names.into_iter().map(str::to_owned).collect()
}

pub(super) const TRAFFIC: [&str; 4] = [
    "net_tx_bytes_delta",
    "net_tx_packets_delta",
    "net_rx_bytes_delta",
    "net_rx_packets_delta",
];

/// Rows that follow each other and are of one batch.
struct Run<'a> {
    key: Key<'a>,
    rows: u32,
    seen: Timestamp,
    sums: Figures,
}

pub(super) fn take(
    case: &mut Case,
    table: usize,
    columns: &Columns<'_>,
) -> Result<(), VerifyError> {
    let keys = columns.keys()?;
    let is_usage = DATA_TABLES.get(table) == Some(&Table::PodUsage);
    let usage = is_usage.then(|| Usage::new(columns)).transpose()?;
    let ends: Times<'_> = match DATA_TABLES.get(table) {
        Some(Table::Events) => columns.times("timestamp")?,
        _ => columns.times("window_end")?,
    };
    let mut run: Option<Run<'_>> = None;
    for row in 0..columns.rows() {
        let Some(key) = keys.at(row) else {
            case.outside(1);
            continue;
        };
        let run = match &mut run {
            Some(run) if run.key == key => run,
            other => {
                if let Some(run) = other.take() {
                    flush(case, table, &run);
                }
                other.insert(Run {
                    key,
                    rows: 0,
                    seen: columns.file.modified,
                    sums: Figures::default(),
                })
            }
        };
        run.rows += 1;
        run.seen = run.seen.max(ends.at(row).unwrap_or_default());
        if let Some(usage) = &usage {
            usage.add(row, &mut run.sums);
        }
    }
    if let Some(run) = run {
        flush(case, table, &run);
    }
    Ok(())
}

fn flush(case: &mut Case, table: usize, run: &Run<'_>) {
    let Some((epoch, seq)) = run.key.batch() else {
        return case.outside(u64::from(run.rows));
    };
    case.rows(&Counted {
        node: run.key.node,
        epoch,
        seq,
        table,
        rows: run.rows,
        seen: run.seen,
        sums: run.sums,
    });
}

/// What goes into the ledger's sums: what the hooks counted. The kubelet's figures stand in for
/// nothing that they counted, and what no row could take has a figure of its own there.
struct Usage<'a> {
    pod_id: Texts<'a>,
    sources: Option<&'a ListArray>,
    cpu_seconds: Option<&'a Float64Array>,
    traffic: [Longs<'a>; 4],
}

impl<'a> Usage<'a> {
    fn new(columns: &Columns<'a>) -> Result<Self, VerifyError> {
        let [a, b, c, d] = TRAFFIC.map(|name| columns.longs(name));
        Ok(Self {
            pod_id: columns.texts("pod_id")?,
            sources: columns.lists("sources")?,
            cpu_seconds: columns.doubles("cpu_seconds")?,
            traffic: [a?, b?, c?, d?],
        })
    }

    fn add(&self, row: usize, sums: &mut Figures) {
        if self.pod_id.at(row) == Some("unattributed") {
            return;
        }
        let [cpu, traffic @ ..] = sums;
        let (is_cpu_counted, is_traffic_counted) = self.counted(row);
        if is_cpu_counted {
            *cpu = cpu.wrapping_add(self.cpu_ns(row));
        }
        if is_traffic_counted {
            for (sum, column) in traffic.iter_mut().zip(&self.traffic) {
                *sum = sum.wrapping_add(column.at(row).unwrap_or(0));
            }
        }
    }

    fn cpu_ns(&self, row: usize) -> i64 {
        let seconds = self.cpu_seconds.filter(|column| column.is_valid(row));
        let ns = seconds.map_or(0.0, |column| column.value(row) * 1e9);
        // Saturates, as nothing that a CPU can use does.
        ns.round() as i64
    }

    /// Whether CPU time and traffic of a row are not the kubelet's.
    fn counted(&self, row: usize) -> (bool, bool) {
        let Some(lists) = self.sources.filter(|lists| lists.is_valid(row)) else {
            return (true, true);
        };
        let list = lists.value(row);
        let Some(sources) = list.as_string_opt::<i32>() else {
            return (true, true);
        };
        let has = |start: &str| {
            sources
                .iter()
                .flatten()
                .any(|source| source.starts_with(start))
        };
        (!has("cpu=kubelet"), !has("network=kubelet"))
    }
}
