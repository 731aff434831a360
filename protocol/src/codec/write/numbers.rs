//! Finds the form in which a column's numbers are smallest.

use super::schema::{Column, Form};
use crate::codec::{MAX_SCALE, POWERS_OF_TEN};

/// Largest integer up to which doubles hold every one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes integers into a column.
pub(super) fn integers(column: &mut Column, mut values: Vec<i64>) {
    let is_constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    if is_constant {
        values.truncate(1);
    } else {
        take_factor_out(column, &mut values);
    }
    let plain = || values.iter().map(|value| u64::try_from(*value).ok());
    let is_plain = plain().all(|number| number.is_some());
    let zigzags = || values.iter().map(|value| zigzag(*value));
    let deltas = differences(&values);
    let direct = match is_plain {
        true => cost(plain().flatten()),
        false => cost(zigzags()),
    };
    let (form, numbers) = match is_plain {
        _ if cost(deltas.iter().copied()) < direct => (Form::Delta, deltas),
        true => (Form::Plain, plain().flatten().collect()),
        false => (Form::Zigzag, zigzags().collect()),
    };
    column.form = form as u32;
    column.numbers = numbers;
}

/// Writes doubles into a column: as integers where those give back every bit.
pub(super) fn doubles(column: &mut Column, values: &[f64]) {
    if let Some((scale, scaled)) = scaled(values) {
        column.scale = scale;
        return integers(column, scaled);
    }
    let mut bits = values.iter().map(|value| value.to_bits());
    let first = bits.next();
    let is_constant = bits.all(|other| Some(other) == first);
    let sent = if is_constant { 1 } else { values.len() };
    column.doubles = values.iter().copied().take(sent).collect();
}

/// Memory comes in pages and limits in mebibytes: what all values have in common is sent once.
fn take_factor_out(column: &mut Column, values: &mut [i64]) {
    let factor = values
        .iter()
        .fold(0, |factor, value| gcd(factor, value.unsigned_abs()));
    let Some(divisor) = i64::try_from(factor).ok().filter(|factor| *factor > 1) else {
        return;
    };
    column.factor = factor;
    for value in values {
        *value /= divisor;
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn differences(values: &[i64]) -> Vec<u64> {
    let before = std::iter::once(&0).chain(values);
    let pairs = before.zip(values);
    pairs
        .map(|(before, value)| zigzag(value.wrapping_sub(*before)))
        .collect()
}

/// About what the numbers take when compressed: one that repeats the one before it takes nothing.
fn cost(numbers: impl Iterator<Item = u64>) -> usize {
    let mut before = None;
    numbers
        .filter(|number| before.replace(*number) != Some(*number))
        .map(prost::encoding::encoded_len_varint)
        .sum()
}

/// The smallest power of ten with which every value is a whole number again, and those numbers.
fn scaled(values: &[f64]) -> Option<(u32, Vec<i64>)> {
    let mut scale = 0;
    for value in values {
        while whole(*value, scale).is_none() {
            scale += 1;
            if scale > MAX_SCALE {
                return None;
            }
        }
    }
    // One that is whole with a smaller power may need more digits than there are with a larger one.
    let numbers: Option<Vec<i64>> = values.iter().map(|value| whole(*value, scale)).collect();
    Some((scale, numbers?))
}

fn whole(value: f64, scale: u32) -> Option<i64> {
    let power = POWERS_OF_TEN[scale as usize];
    let number = (value * power).round();
    let is_exact = number.abs() <= EXACT && (number / power).to_bits() == value.to_bits();
    is_exact.then_some(number as i64)
}
