//! The values of a column, each checked.

use std::sync::Arc;

use super::{
    column::{Context, Place, Raw},
    numbers::{self, Fault, Numbers, Packed},
    run,
};
use crate::{
    Invalid, Kind,
    codec::{
        POWERS_OF_TEN,
        code::{like_doubles, like_longs},
        schema::Form,
    },
    columns::{ColumnData, Values},
};

/// Reads those of one column.
pub(super) fn read(
    context: &mut Context<'_, '_>,
    place: &Place<'_>,
    raw: &Raw<'_>,
    before: &[ColumnData],
) -> Result<Values, Invalid> {
    if place.column.kind == Kind::Double {
        return doubles(context, place, raw, before).map(Values::Doubles);
    }
    if raw.scale != 0 || !raw.doubles.is_empty() {
        return Err(place.malformed("has parts that only doubles have"));
    }
    let packed = packed(context, place, raw, before)?;
    match place.column.kind {
        Kind::Long | Kind::Double => {
            let values = packed.values(place.count, |long, _| Some(long));
            told(place, values, "has more than 64 bits").map(Values::Longs)
        }
        Kind::Int => {
            let is_int = |long: i64| i32::try_from(long).is_ok();
            let values = packed.values(place.count, |long, _| is_int(long).then_some(long));
            told(place, values, "has more than 32 bits").map(Values::Longs)
        }
        Kind::Boolean => {
            let values = packed.values(place.count, |long, _| match long {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            });
            told(place, values, "is neither true nor false").map(Values::Booleans)
        }
        Kind::Time | Kind::TimeText => {
            let end = context.window_end.unix_us;
            let values = packed.values(place.count, |since, _| {
                end.checked_add(since)
                    .filter(|time| numbers::is_time(*time))
            });
            told(place, values, "is not in this century").map(Values::Longs)
        }
        Kind::Text => texts(context, place, packed),
        Kind::Texts => lists(context, place, packed),
    }
}

/// Says where and what a fault is.
fn told<T>(place: &Place<'_>, values: Result<T, Fault>, message: &str) -> Result<T, Invalid> {
    values.map_err(|fault| match fault {
        Fault::Count => place.malformed("its numbers are not one for each row that has one"),
        Fault::Value(at) => place.bad_value(at, message),
    })
}

/// A column's numbers: its own, or the next run.
fn packed<'a>(
    context: &mut Context<'_, '_>,
    place: &Place<'_>,
    raw: &Raw<'a>,
    before: &'a [ColumnData],
) -> Result<Packed<'a>, Invalid> {
    let factor = i64::try_from(raw.factor).ok().filter(|factor| *factor > 0);
    let factor = factor.ok_or_else(|| place.malformed("its factor is 0, or too large"))?;
    let other = |id| match place.present {
        None => before.iter().find(|other| u64::from(other.id) == id),
        Some(_) => None,
    };
    let whole = other(raw.base).filter(|other| other.values.len() == place.count);
    let base = match (raw.base, whole.map(|base| &base.values)) {
        (0, _) if raw.form != Form::Below => None,
        (1.., Some(Values::Longs(base))) if raw.form != Form::Delta => Some(base.as_slice()),
        _ => return Err(place.malformed("has no base that its form asks for")),
    };
    let like = match (raw.like, other(raw.like).map(|like| &like.values)) {
        (0, _) => None,
        (_, Some(Values::Longs(like))) => Some(like_longs(like)),
        (_, Some(Values::Doubles(like))) => Some(like_doubles(like)),
        _ => return Err(place.malformed("is like no column of numbers")),
    };
    let numbers = match raw.constant {
        Some(number) => Numbers::All(number),
        None if raw.numbers.is_empty() => {
            Numbers::Run(run::read(context.bits, place.count, like.as_deref())?)
        }
        None => Numbers::Varints(raw.numbers),
    };
    Ok(Packed {
        numbers,
        form: raw.form,
        factor,
        base,
    })
}

fn doubles(
    context: &mut Context<'_, '_>,
    place: &Place<'_>,
    raw: &Raw<'_>,
    before: &[ColumnData],
) -> Result<Vec<f64>, Invalid> {
    if raw.doubles.is_empty() {
        let power = usize::try_from(raw.scale).ok();
        let power = power.and_then(|scale| POWERS_OF_TEN.get(scale));
        let power = power.ok_or_else(|| place.malformed("its scale is too large"))?;
        let packed = packed(context, place, raw, before)?;
        let values = packed.values(place.count, |long, _| Some(long as f64 / power));
        return told(place, values, "has more than 64 bits");
    }
    if raw.scale != 0 || raw.factor != 1 || !raw.numbers.is_empty() {
        return Err(place.malformed("has numbers beside its doubles"));
    }
    let doubles = numbers::doubles(raw.doubles, place.count)
        .ok_or_else(|| place.malformed("its doubles are not one for each row that has one"))?;
    finite(place, &doubles)?;
    Ok(doubles)
}

/// Whether each is a number at all.
pub(super) fn finite(place: &Place<'_>, doubles: &[f64]) -> Result<(), Invalid> {
    match doubles.iter().position(|double| !double.is_finite()) {
        None => Ok(()),
        Some(at) => Err(place.bad_value(at, "is not finite")),
    }
}

fn texts(
    context: &mut Context<'_, '_>,
    place: &Place<'_>,
    packed: Packed<'_>,
) -> Result<Values, Invalid> {
    let texts = &context.dictionary.texts;
    let mut written: usize = 0;
    let numbers = packed.values(place.count, |number, rows| {
        let number = u32::try_from(number).ok()?;
        written = written.saturating_add(texts.length(number)?.saturating_mul(rows));
        Some(number)
    });
    let numbers = told(place, numbers, "names no text")?;
    write_out(&mut context.written_bytes, place, written)?;
    Ok(Values::Texts(numbers, Arc::clone(texts)))
}

fn lists(
    context: &mut Context<'_, '_>,
    place: &Place<'_>,
    packed: Packed<'_>,
) -> Result<Values, Invalid> {
    let dictionary = context.dictionary;
    let mut written: usize = 0;
    let numbers = packed.values(place.count, |number, rows| {
        let number = u32::try_from(number).ok()?;
        let (_, bytes) = dictionary.list(number)?;
        written = written.saturating_add(bytes.saturating_mul(rows));
        Some(number)
    });
    let mut lengths = told(place, numbers, "names no list")?;
    // Before anything is allocated for what the lists hold.
    write_out(&mut context.written_bytes, place, written)?;
    let mut items = Vec::new();
    for number in &mut lengths {
        let (list, _) = dictionary.list(*number).unwrap_or_default();
        items.extend_from_slice(list);
        *number = u32::try_from(list.len()).unwrap_or(u32::MAX);
    }
    Ok(Values::Lists(lengths, items, Arc::clone(&dictionary.texts)))
}

/// Counts what the texts of a column take when written out, before they are.
fn write_out(free: &mut usize, place: &Place<'_>, written: usize) -> Result<(), Invalid> {
    *free = free.checked_sub(written).ok_or_else(|| {
        place.too_large("the texts of all rows would take too much when written out")
    })?;
    Ok(())
}
