//! Columns that tell nothing that others do not, and are not sent again. That a column is one of
//! them is tried out to the last bit, never assumed.

use super::{Collected, texts::index};
use crate::{
    Table,
    codec::{POWERS_OF_TEN, schema::Column},
    table::sinks::Sink,
};

/// A column of `pod_usage` whose values are those of another, divided by the length of the window.
const QUOTIENT: (&str, &str) = ("cpu_usage_cores", "cpu_seconds");
/// Columns of `pod_usage` whose values are the sums over the pod's rows in `pod_network`.
const SUMS: [(&str, &str); 4] = [
    ("net_tx_bytes_delta", "tx_bytes_delta"),
    ("net_tx_packets_delta", "tx_packets_delta"),
    ("net_rx_bytes_delta", "rx_bytes_delta"),
    ("net_rx_packets_delta", "rx_packets_delta"),
];
/// What rows of both tables are of.
const POD: &str = "pod_id";
/// Columns of `pod_network` whose values are those of `pod_usage` in the row of the pod.
const OF_POD: [&str; 3] = ["cgroup_id", "namespace", "pod_name"];

/// Writes the column as derived, if it is. `numbers` are those of the batch's texts.
pub(super) fn write(column: &mut Column, of: (Table, &str), all: &[Collected]) -> bool {
    let (table, name) = of;
    if table == Table::PodNetwork && OF_POD.contains(&name) {
        return of_pod(column, name, all).is_some();
    }
    if table != Table::PodUsage {
        return false;
    }
    if name == QUOTIENT.0 {
        return quotient(column, all).is_some();
    }
    let sum = SUMS.into_iter().find(|(sum, _)| *sum == name);
    sum.and_then(|names| self::sum(column, names, all))
        .is_some()
}

/// Id and values of a column.
fn find<'a>(all: &'a [Collected], table: Table, name: &str) -> Option<(u32, &'a Sink)> {
    let sinks = &all.get(table as usize)?.sinks;
    let mut columns = table.columns().iter().zip(sinks);
    let (column, sink) = columns.find(|(column, _)| column.name == name)?;
    Some((column.id, sink))
}

fn quotient(column: &mut Column, all: &[Collected]) -> Option<()> {
    let (_, quotients) = find(all, Table::PodUsage, QUOTIENT.0)?;
    let (dividend, dividends) = find(all, Table::PodUsage, QUOTIENT.1)?;
    column.divisor = divisor(quotients, dividends)?;
    column.dividend = dividend;
    Some(())
}

/// The whole number of nanoseconds by which all the dividends are divided.
fn divisor(quotients: &Sink, dividends: &Sink) -> Option<f64> {
    let pairs = pairs(quotients, dividends)?;
    let largest = pairs.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let billion = POWERS_OF_TEN[9];
    let divisor = (largest.1 / largest.0 * billion).round() / billion;
    let is_quotient =
        |(quotient, dividend): &(f64, f64)| (dividend / divisor).to_bits() == quotient.to_bits();
    (divisor.is_finite() && divisor > 0.0 && pairs.iter().all(is_quotient)).then_some(divisor)
}

/// Each quotient with its dividend; `None` if one has none.
fn pairs(quotients: &Sink, dividends: &Sink) -> Option<Vec<(f64, f64)>> {
    let (mut quotient, mut dividend) = (quotients.doubles.iter(), dividends.doubles.iter());
    let mut pairs = Vec::with_capacity(quotients.doubles.len());
    for (has_quotient, has_dividend) in quotients.present.iter().zip(&dividends.present) {
        let dividend = has_dividend.then(|| dividend.next()).flatten();
        if *has_quotient {
            pairs.push((*quotient.next()?, *dividend?));
        }
    }
    Some(pairs)
}

fn sum(column: &mut Column, (sum, part): (&str, &str), all: &[Collected]) -> Option<()> {
    let (_, wanted) = find(all, Table::PodUsage, sum)?;
    let (_, pods) = find(all, Table::PodUsage, POD)?;
    let (id, parts) = find(all, Table::PodNetwork, part)?;
    let (_, owners) = find(all, Table::PodNetwork, POD)?;
    let mut sums = vec![0_i64; texts(owners).max(texts(pods))];
    for (owner, part) in owners.longs.iter().zip(&parts.longs) {
        let sum = sums.get_mut(index(*owner))?;
        *sum = sum.checked_add(*part)?;
    }
    let mut values = wanted.longs.iter();
    for (pod, is_there) in pods.longs.iter().zip(&wanted.present) {
        if *is_there && values.next() != sums.get(index(*pod)) {
            return None;
        }
    }
    column.sum_of = id;
    Some(())
}

fn of_pod(column: &mut Column, name: &str, all: &[Collected]) -> Option<()> {
    let (_, wanted) = find(all, Table::PodNetwork, name)?;
    let (_, owners) = find(all, Table::PodNetwork, POD)?;
    let (id, told) = find(all, Table::PodUsage, name)?;
    let (_, pods) = find(all, Table::PodUsage, POD)?;
    let mut values = told.longs.iter();
    let mut of_pod = vec![None; texts(pods)];
    for (pod, is_there) in pods.longs.iter().zip(&told.present) {
        let value = is_there.then(|| values.next()).flatten();
        // Of a pod with more rows than one it is the last.
        *of_pod.get_mut(index(*pod))? = value;
    }
    let mut values = wanted.longs.iter();
    for (owner, is_there) in owners.longs.iter().zip(&wanted.present) {
        if *is_there && *of_pod.get(index(*owner))? != values.next() {
            return None;
        }
    }
    column.of_pod = id;
    Some(())
}

/// How many texts there are up to the last that a column names.
fn texts(of: &Sink) -> usize {
    of.longs
        .iter()
        .map(|text| index(*text) + 1)
        .max()
        .unwrap_or(0)
}
