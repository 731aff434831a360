//! The values of a column, each checked.

use std::sync::Arc;

use super::{
    column::{Context, Place, Raw},
    numbers,
};
use crate::{Invalid, Kind, codec::POWERS_OF_TEN, columns::Values};

/// Reads those of one column.
pub(super) fn read(
    context: &mut Context<'_>,
    place: &Place<'_>,
    raw: &Raw<'_>,
) -> Result<Values, Invalid> {
    if place.column.kind == Kind::Double {
        return doubles(place, raw).map(Values::Doubles);
    }
    if raw.scale != 0 || !raw.doubles.is_empty() {
        return Err(place.malformed("has parts that only doubles have"));
    }
    let longs = longs(place, raw)?;
    match place.column.kind {
        Kind::Long | Kind::Double => Ok(Values::Longs(longs)),
        Kind::Int => all(
            place,
            &longs,
            |long| i32::try_from(long).is_ok(),
            "is no 32-bit integer",
        )
        .map(|()| Values::Longs(longs)),
        Kind::Boolean => {
            all(
                place,
                &longs,
                |long| long == 0 || long == 1,
                "is neither true nor false",
            )?;
            Ok(Values::Booleans(
                longs.iter().map(|long| *long == 1).collect(),
            ))
        }
        Kind::Time | Kind::TimeText => times(context, place, longs).map(Values::Longs),
        Kind::Text => texts(context, place, &longs),
        Kind::Texts => lists(context, place, &longs),
    }
}

fn all(
    place: &Place<'_>,
    longs: &[i64],
    is_good: impl Fn(i64) -> bool,
    message: &str,
) -> Result<(), Invalid> {
    match longs.iter().position(|long| !is_good(*long)) {
        None => Ok(()),
        Some(at) => Err(place.bad_value(at, message)),
    }
}

/// Numbers with their factor.
fn longs(place: &Place<'_>, raw: &Raw<'_>) -> Result<Vec<i64>, Invalid> {
    let mut longs = numbers::integers(raw.numbers, raw.form, place.count)
        .ok_or_else(|| place.malformed("its numbers are not one for each row that has one"))?;
    if raw.factor != 1 {
        let factor = i64::try_from(raw.factor).ok().filter(|factor| *factor > 0);
        let factor = factor.ok_or_else(|| place.malformed("its factor is 0, or too large"))?;
        for (at, long) in longs.iter_mut().enumerate() {
            *long = long
                .checked_mul(factor)
                .ok_or_else(|| place.bad_value(at, "has more than 64 bits"))?;
        }
    }
    Ok(longs)
}

fn times(
    context: &Context<'_>,
    place: &Place<'_>,
    mut longs: Vec<i64>,
) -> Result<Vec<i64>, Invalid> {
    for long in &mut longs {
        *long = long.wrapping_add(context.window_end.unix_us);
    }
    all(place, &longs, numbers::is_time, "is not in this century")?;
    Ok(longs)
}

fn doubles(place: &Place<'_>, raw: &Raw<'_>) -> Result<Vec<f64>, Invalid> {
    if raw.doubles.is_empty() {
        let power = usize::try_from(raw.scale).ok();
        let power = power.and_then(|scale| POWERS_OF_TEN.get(scale));
        let power = power.ok_or_else(|| place.malformed("its scale is too large"))?;
        let longs = longs(place, raw)?;
        return Ok(longs.iter().map(|long| *long as f64 / power).collect());
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

fn texts(context: &mut Context<'_>, place: &Place<'_>, longs: &[i64]) -> Result<Values, Invalid> {
    let texts = &context.dictionary.texts;
    let mut numbers = Vec::with_capacity(longs.len());
    let mut written: usize = 0;
    for (at, long) in longs.iter().enumerate() {
        let number = u32::try_from(*long).ok();
        let length = number.and_then(|number| texts.length(number));
        let (Some(number), Some(length)) = (number, length) else {
            return Err(place.bad_value(at, "names no text"));
        };
        written = written.saturating_add(length);
        numbers.push(number);
    }
    write_out(&mut context.written_bytes, place, written)?;
    Ok(Values::Texts(numbers, Arc::clone(texts)))
}

fn lists(context: &mut Context<'_>, place: &Place<'_>, longs: &[i64]) -> Result<Values, Invalid> {
    let dictionary = context.dictionary;
    let mut lengths = Vec::with_capacity(longs.len());
    let mut items = Vec::new();
    for (at, long) in longs.iter().enumerate() {
        let list = u32::try_from(*long).ok();
        let list = list.and_then(|number| dictionary.list(number));
        let (list, written) = list.ok_or_else(|| place.bad_value(at, "names no list"))?;
        write_out(&mut context.written_bytes, place, written)?;
        lengths.push(u32::try_from(list.len()).unwrap_or(u32::MAX));
        items.extend_from_slice(list);
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
