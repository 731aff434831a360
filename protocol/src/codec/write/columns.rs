//! The columns of a table, each in its smallest form.

use super::{Collected, numbers, schema::Column};
use crate::{Kind, Table, codec::POWERS_OF_TEN, table::sinks::Sink};

/// A column whose values are those of another, divided by the length of the window: it has as many
/// bits as a double holds, and tells nothing that the other does not.
const QUOTIENT: (Table, &str, &str) = (Table::PodUsage, "cpu_usage_cores", "cpu_seconds");

/// Those that have a value. Times are told from `base_us`.
pub(super) fn of(collected: &Collected, base_us: i64) -> Vec<Column> {
    let definitions = collected.table.columns();
    let filled = definitions.iter().zip(&collected.sinks);
    filled
        .filter(|(_, sink)| sink.present.contains(&true))
        .map(|(definition, sink)| {
            let mut column = Column {
                id: definition.id,
                present: bitmap(&sink.present),
                ..Column::default()
            };
            match definition.kind {
                Kind::Double if quotient(collected, definition.name, &mut column) => {}
                Kind::Double => numbers::doubles(&mut column, &sink.doubles),
                Kind::Time | Kind::TimeText => {
                    let since = sink.longs.iter().map(|time| time.wrapping_sub(base_us));
                    numbers::integers(&mut column, since.collect());
                }
                Kind::Long | Kind::Int | Kind::Boolean | Kind::Text | Kind::Texts => {
                    numbers::integers(&mut column, sink.longs.clone());
                }
            }
            column
        })
        .collect()
}

/// Bit i % 8 of byte i / 8 for row i; nothing if all are there.
fn bitmap(present: &[bool]) -> Vec<u8> {
    if !present.contains(&false) {
        return Vec::new();
    }
    let byte = |eight: &[bool]| {
        let bits = eight.iter().zip(0..);
        bits.fold(0, |byte, (is_there, bit)| byte | u8::from(*is_there) << bit)
    };
    present.chunks(8).map(byte).collect()
}

/// Writes the column as a quotient, if every value is one to the last bit.
fn quotient(collected: &Collected, name: &str, column: &mut Column) -> bool {
    let (table, quotient, dividend) = QUOTIENT;
    if (collected.table, name) != (table, quotient) {
        return false;
    }
    let sink_of = |wanted: &str| {
        let mut columns = table.columns().iter().zip(&collected.sinks);
        columns.find(|(column, _)| column.name == wanted)
    };
    let (Some((_, quotients)), Some((definition, dividends))) =
        (sink_of(quotient), sink_of(dividend))
    else {
        return false;
    };
    let Some(divisor) = divisor(quotients, dividends) else {
        return false;
    };
    column.dividend = definition.id;
    column.divisor = divisor;
    true
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
