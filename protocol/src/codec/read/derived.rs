//! Columns that were not sent, because others tell what is in them.

use std::sync::Arc;

use super::{
    column::{Context, Place, Raw},
    values,
};
use crate::{
    Column, Invalid, Kind, Table,
    codec::fault::{malformed, too_large},
    columns::{ColumnData, TableData, Values},
};

/// Whether a column is told by others; `false` also for one that can't be.
pub(super) fn is_derived(place: &Place<'_>, raw: &Raw<'_>) -> Result<bool, Invalid> {
    if raw.dividend == 0 && raw.sum_of == 0 && raw.of_pod == 0 {
        return match raw.divisor.to_bits() {
            0 => Ok(false),
            _ => Err(place.malformed("has a divisor without a dividend")),
        };
    }
    let is = (raw.dividend != 0, raw.sum_of != 0, raw.of_pod != 0);
    let may_be = match (is, place.column.kind) {
        ((true, false, false), Kind::Double) => true,
        ((false, true, false), Kind::Long) => place.table == Table::PodUsage,
        ((false, false, true), Kind::Long | Kind::Text) => place.table == Table::PodNetwork,
        _ => false,
    };
    let is_empty = raw.numbers.is_empty() && raw.doubles.is_empty();
    if is_empty && may_be {
        return Ok(true);
    }
    Err(place.malformed("can't be told by other columns"))
}

/// Values of another column, divided. `at` is the quotient's place among the columns.
pub(super) fn quotient(
    context: &Context<'_, '_>,
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

/// A column that waits for another table.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    /// Its table.
    pub(super) table: Table,
    /// Its id.
    pub(super) id: u32,
    /// The column of `pod_network` whose values are summed.
    pub(super) sum_of: u64,
    /// The column of `pod_usage` whose values are those of the pod.
    pub(super) of_pod: u64,
}

impl Waiting {
    fn wrong<T>(&self, message: &str) -> Result<T, Invalid> {
        let name = self.table.columns()[self.id as usize - 1].name;
        Err(malformed(format!("{}.{name}", self.table.name()), message))
    }
}

/// Fills in what waited. Texts may take so many bytes when written out.
pub(super) fn fill(
    tables: &mut [TableData],
    waiting: &[Waiting],
    mut written_bytes: usize,
) -> Result<(), Invalid> {
    for waiting in waiting {
        let values = match waiting.table {
            Table::PodUsage => sum(tables, waiting).map(Values::Longs),
            _ => of_pod(tables, waiting, &mut written_bytes),
        }?;
        let mut data = tables.iter_mut().filter(|data| data.table == waiting.table);
        let columns = data.next().map(|data| &mut data.columns);
        let mut columns = columns.into_iter().flatten();
        if let Some(column) = columns.find(|column| column.id == waiting.id) {
            column.values = values;
        }
    }
    Ok(())
}

/// What there is of the rows in which the column has a value.
fn there<T>(column: &ColumnData, all: impl Iterator<Item = T>) -> Vec<T> {
    match &column.present {
        None => all.collect(),
        Some(present) => {
            let all = all.zip(present);
            all.filter_map(|(value, is_there)| is_there.then_some(value))
                .collect()
        }
    }
}

/// The sums over the rows of each pod.
fn sum(tables: &[TableData], waiting: &Waiting) -> Result<Vec<i64>, Invalid> {
    let table = |table| tables.iter().find(|data| data.table == table);
    let parts = table(Table::PodNetwork).and_then(|data| parts(data, waiting.sum_of));
    let Some((owners, parts)) = parts else {
        return waiting.wrong("is the sum of no column of pod_network");
    };
    let usage =
        table(waiting.table).and_then(|data| Some((pods(data)?, find(data, waiting.id.into())?)));
    let Some(((pods, texts), wanted)) = usage else {
        return waiting.wrong("has no pods");
    };
    let mut of_pod = vec![0_i64; texts];
    for (owner, part) in owners.iter().zip(parts) {
        let sum = &mut of_pod[*owner as usize];
        *sum = match sum.checked_add(*part) {
            Some(sum) => sum,
            None => return waiting.wrong("has more than 64 bits"),
        };
    }
    let sums = pods.iter().map(|pod| of_pod[*pod as usize]);
    Ok(there(wanted, sums))
}

/// The values of a column of `pod_usage` in the row of each pod, the last if it has more than one.
fn of_pod(
    tables: &[TableData],
    waiting: &Waiting,
    written_bytes: &mut usize,
) -> Result<Values, Invalid> {
    let table = |table| tables.iter().find(|data| data.table == table);
    let usage =
        table(Table::PodUsage).and_then(|data| Some((pods(data)?, find(data, waiting.of_pod)?)));
    let network =
        table(waiting.table).and_then(|data| Some((pods(data)?, find(data, waiting.id.into())?)));
    let (Some(((pods, texts), told)), Some(((owners, _), wanted))) = (usage, network) else {
        return waiting.wrong("is of no column of pod_usage");
    };
    let mut rows = vec![usize::MAX; texts];
    let mut value = 0;
    for (at, pod) in pods.iter().enumerate() {
        let is_there = told.present.as_ref().is_none_or(|present| present[at]);
        rows[*pod as usize] = if is_there { value } else { usize::MAX };
        value += usize::from(is_there);
    }
    let places = there(wanted, owners.iter().map(|owner| rows[*owner as usize]));
    let kind = waiting.table.columns()[waiting.id as usize - 1].kind;
    let values = match (&told.values, kind) {
        (Values::Longs(told), Kind::Long) => taken(told, &places).map(Values::Longs),
        (Values::Texts(told, texts), Kind::Text) => {
            taken(told, &places).map(|numbers| Values::Texts(numbers, Arc::clone(texts)))
        }
        _ => None,
    };
    let Some(values) = values else {
        return waiting.wrong("is of a row of pod_usage that is not there, or has no value");
    };
    if let Values::Texts(numbers, texts) = &values {
        let lengths = numbers.iter().filter_map(|number| texts.length(*number));
        match written_bytes.checked_sub(lengths.sum()) {
            Some(free) => *written_bytes = free,
            None => {
                let name = waiting.table.columns()[waiting.id as usize - 1].name;
                let field = format!("{}.{name}", waiting.table.name());
                return Err(too_large(
                    field,
                    "its texts would take too much when written out",
                ));
            }
        }
    }
    Ok(values)
}

fn taken<T: Copy>(from: &[T], places: &[usize]) -> Option<Vec<T>> {
    places.iter().map(|at| from.get(*at).copied()).collect()
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
            values: Values::Longs(parts),
            ..
        } if parts.len() == data.rows => Some((pods(data)?.0, parts)),
        _ => None,
    }
}

fn find(data: &TableData, id: u64) -> Option<&ColumnData> {
    data.columns
        .iter()
        .find(|column| u64::from(column.id) == id)
}
