//! Columns that were not sent, because others tell what is in them.

use super::{
    column::{Context, Place, Raw},
    values,
};
use crate::{
    Column, Invalid, Kind, Table,
    codec::fault::malformed,
    columns::{ColumnData, TableData, Values},
};

/// Whether a column is told by others; `false` also for one that can't be.
pub(super) fn is_derived(place: &Place<'_>, raw: &Raw<'_>) -> Result<bool, Invalid> {
    if raw.dividend == 0 && raw.sum_of == 0 {
        return match raw.divisor.to_bits() {
            0 => Ok(false),
            _ => Err(place.malformed("has a divisor without a dividend")),
        };
    }
    let is_quotient = raw.dividend != 0 && raw.sum_of == 0 && place.column.kind == Kind::Double;
    let is_sum = raw.sum_of != 0 && raw.dividend == 0 && place.column.kind == Kind::Long;
    let is_empty = raw.numbers.is_empty() && raw.doubles.is_empty();
    if is_empty && (is_quotient || is_sum && place.table == Table::PodUsage) {
        return Ok(true);
    }
    Err(place.malformed("can't be told by other columns"))
}

/// Values of another column, divided. `at` is the quotient's place among the columns.
pub(super) fn quotient(
    context: &Context<'_>,
    column: &'static Column,
    raw: &Raw<'_>,
    (at, columns): (usize, &[ColumnData]),
) -> Result<Vec<f64>, Invalid> {
    let present = columns[at].present.as_deref();
    let place = Place {
        table: context.table,
        column,
        present,
        count: context.rows,
    };
    let mut others = columns.iter().filter(|other| other.id != column.id);
    let dividend = others.find(|other| u64::from(other.id) == raw.dividend);
    let Some(ColumnData {
        present: other,
        values: Values::Doubles(dividends),
        ..
    }) = dividend
    else {
        return Err(place.malformed("is a quotient of no column of doubles"));
    };
    let mut dividends = dividends.iter();
    let mut quotients = Vec::with_capacity(context.rows);
    for row in 0..context.rows {
        let has = |present: Option<&[bool]>| present.is_none_or(|present| present[row]);
        let dividend = has(other.as_deref()).then(|| dividends.next()).flatten();
        if has(present) {
            let dividend =
                dividend.ok_or_else(|| place.malformed("has a row without a dividend"))?;
            quotients.push(dividend / raw.divisor);
        }
    }
    values::finite(&place, &quotients)?;
    Ok(quotients)
}

/// A column of `pod_usage` that waits for `pod_network`.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    /// Its id.
    pub(super) id: u32,
    /// The column whose values are summed.
    pub(super) of: u64,
}

/// Fills in the sums over the rows of each pod.
pub(super) fn sums(tables: &mut [TableData], sums: &[Sum]) -> Result<(), Invalid> {
    for sum in sums {
        let name = Table::PodUsage.columns()[sum.id as usize - 1].name;
        let wrong = |message| malformed(format!("pod_usage.{name}"), message);
        let [usage, rest @ ..] = &mut *tables else {
            return Err(wrong("is the sum of rows that are not there"));
        };
        let network = rest.iter().find(|data| data.table == Table::PodNetwork);
        let parts = network.and_then(|network| parts(network, sum.of));
        let (owners, parts) =
            parts.ok_or_else(|| wrong("is the sum of no column of pod_network"))?;
        let (pods, texts) = pods(usage).ok_or_else(|| wrong("has no pods"))?;
        let mut of_pod = vec![0_i64; texts];
        for (owner, part) in owners.iter().zip(parts) {
            let sum = &mut of_pod[*owner as usize];
            *sum = sum
                .checked_add(*part)
                .ok_or_else(|| wrong("has more than 64 bits"))?;
        }
        let values: Vec<i64> = pods.iter().map(|pod| of_pod[*pod as usize]).collect();
        fill(usage, sum.id, values);
    }
    Ok(())
}

/// The pod of each row, and how many texts there are; each of the numbers is below that.
fn pods(data: &TableData) -> Option<(&[u32], usize)> {
    let id = data
        .table
        .columns()
        .iter()
        .find(|column| column.name == "pod_id")?
        .id;
    match &find(data, u64::from(id))?.values {
        Values::Texts(numbers, texts) => Some((numbers, texts.len())),
        _ => None,
    }
}

/// The pod of each row, and what is summed.
fn parts(data: &TableData, id: u64) -> Option<(&[u32], &[i64])> {
    match find(data, id)? {
        ColumnData {
            present: None,
            values: Values::Longs(parts),
            ..
        } => Some((pods(data)?.0, parts)),
        _ => None,
    }
}

fn find(data: &TableData, id: u64) -> Option<&ColumnData> {
    data.columns
        .iter()
        .find(|column| u64::from(column.id) == id)
}

fn fill(data: &mut TableData, id: u32, mut values: Vec<i64>) {
    if let Some(column) = data.columns.iter_mut().find(|column| column.id == id) {
        if let Some(present) = &column.present {
            let mut present = present.iter();
            values.retain(|_| present.next().is_some_and(|is_there| *is_there));
        }
        column.values = Values::Longs(values);
    }
}
