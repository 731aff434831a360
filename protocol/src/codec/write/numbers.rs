//! Finds the form in which a column's numbers are smallest.

use super::{
    columns::Draft,
    run::Run,
    schema::{Column, Form},
};
use crate::codec::{MAX_SCALE, POWERS_OF_TEN, bits::Writer};

/// Largest integer up to which doubles hold every one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Columns that tell something of another: its values are near theirs, or about as long.
#[derive(Default)]
pub(super) struct Near<'a> {
    pub(super) bases: Vec<(u32, &'a [i64])>,
    pub(super) likes: Vec<(u32, Vec<u32>)>,
}

/// Bits that naming another column takes, about.
const NAMING_BITS: usize = 6;

/// One way to write a column's numbers.
struct Way<'a> {
    draft: Draft,
    numbers: Vec<u64>,
    like: Option<&'a [u32]>,
    run: Option<Run>,
    bits: usize,
}

/// Finds the form of a column of integers.
pub(super) fn integers(draft: &mut Draft, values: Vec<i64>, near: &Near<'_>) {
    let is_constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    if is_constant {
        let first = values.first().copied().unwrap_or_default();
        let (form, numbers) = direct(&[first]);
        (draft.column.form, draft.column.numbers) = (form as u32, numbers);
        return;
    }
    let above = near.bases.iter().filter_map(|(id, base)| {
        let mut pairs = values.iter().zip(*base);
        let above: Option<Vec<i64>> = pairs.try_fold(Vec::new(), |mut above, (value, base)| {
            above.push(value.checked_sub(*base)?);
            Some(above)
        });
        Some((*id, above?))
    });
    let mut all: Vec<_> = above.collect();
    all.push((0, values));
    let ways = all
        .into_iter()
        .flat_map(|(base, values)| ways(draft, base, values, near));
    let Some(best) = ways.min_by_key(|way| way.bits) else {
        return;
    };
    *draft = best.draft;
    match best.run {
        Some(run) => {
            let mut bits = Writer::default();
            run.write(&best.numbers, best.like, &mut bits);
            draft.run = Some(bits);
        }
        None => draft.column.numbers = best.numbers,
    }
}

fn ways<'a>(draft: &Draft, base: u32, mut values: Vec<i64>, near: &'a Near<'_>) -> Vec<Way<'a>> {
    let mut draft = draft.clone();
    draft.base = base;
    take_factor_out(&mut draft.column, &mut values);
    let (form, numbers) = match base {
        1.. if values.iter().all(|value| *value <= 0) => {
            let below = values.iter().map(|value| value.unsigned_abs());
            (Form::Below, below.collect())
        }
        _ => direct(&values),
    };
    draft.column.form = form as u32;
    let way = |draft: &Draft, numbers: &[u64], like| {
        let run = Run::of(numbers, like)?;
        let named = usize::from(draft.base != 0) + usize::from(draft.like != 0);
        Some(Way {
            draft: draft.clone(),
            numbers: numbers.to_vec(),
            like,
            bits: run.bits() + named * NAMING_BITS,
            run: Some(run),
        })
    };
    let mut ways = Vec::from_iter(way(&draft, &numbers, None));
    for (id, like) in &near.likes {
        let mut draft = draft.clone();
        draft.like = *id;
        ways.extend(way(&draft, &numbers, Some(like)));
    }
    if base == 0 {
        let mut deltas = draft.clone();
        deltas.column.form = Form::Delta as u32;
        ways.extend(way(&deltas, &differences(&values), None));
        ways.push(Way {
            draft,
            bits: 8 * cost(&numbers),
            numbers,
            like: None,
            run: None,
        });
    }
    ways
}

/// As they are, or signed if one is negative.
fn direct(values: &[i64]) -> (Form, Vec<u64>) {
    let plain: Option<Vec<u64>> = values
        .iter()
        .map(|value| u64::try_from(*value).ok())
        .collect();
    match plain {
        Some(plain) => (Form::Plain, plain),
        None => (
            Form::Zigzag,
            values.iter().map(|value| zigzag(*value)).collect(),
        ),
    }
}

/// Writes numbers of at most 56 bits as a run, if there are any.
pub(super) fn run(numbers: &[u64], bits: &mut Writer) {
    if let Some(run) = Run::of(numbers, None) {
        run.write(numbers, None, bits);
    }
}

/// Writes doubles into a column: as integers where those give back every bit.
pub(super) fn doubles(draft: &mut Draft, values: &[f64], near: &Near<'_>) {
    if let Some((scale, scaled)) = scaled(values) {
        draft.column.scale = scale;
        return integers(draft, scaled, near);
    }
    let mut all = values.iter().map(|value| value.to_bits());
    let first = all.next();
    let is_constant = all.all(|other| Some(other) == first);
    let sent = if is_constant { 1 } else { values.len() };
    draft.column.doubles = values.iter().copied().take(sent).collect();
}

/// Memory comes in pages and limits in mebibytes: what all values have in common is sent once.
fn take_factor_out(column: &mut Column, values: &mut [i64]) {
    let factor = values
        .iter()
        .fold(0, |factor, value| gcd(factor, value.unsigned_abs()));
    let Some(divisor) = u32::try_from(factor)
        .ok()
        .filter(|factor| *factor > 1)
        .map(i64::from)
    else {
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

pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub(super) fn differences(values: &[i64]) -> Vec<u64> {
    let before = std::iter::once(&0).chain(values);
    let pairs = before.zip(values);
    pairs
        .map(|(before, value)| zigzag(value.wrapping_sub(*before)))
        .collect()
}

/// About what the numbers take among a column's fields.
fn cost(numbers: &[u64]) -> usize {
    let lengths = numbers
        .iter()
        .copied()
        .map(prost::encoding::encoded_len_varint);
    lengths.sum()
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
    // By way of the integer: that has no zero below zero.
    let integer = number as i64;
    let is_exact = number.abs() <= EXACT && (integer as f64 / power).to_bits() == value.to_bits();
    is_exact.then_some(integer)
}
