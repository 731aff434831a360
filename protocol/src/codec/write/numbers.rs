//! Finds the form in which a column's numbers are smallest.

use std::rc::Rc;

use super::{columns::Draft, run::Run, schema::Form};
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
    base: u32,
    factor: u64,
    form: Form,
    numbers: Rc<Vec<u64>>,
    /// With the id of the column that has these classes.
    like: Option<&'a (u32, Vec<u32>)>,
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
    let mut best = Best::default();
    for (id, base) in &near.bases {
        let pairs = values.iter().zip(*base);
        let above: Option<Vec<i64>> = pairs
            .map(|(value, base)| value.checked_sub(*base))
            .collect();
        if let Some(above) = above {
            best.try_all(*id, above, near);
        }
    }
    best.try_all(0, values, near);
    if let Some(best) = best.0 {
        best.write(draft);
    }
}

impl Way<'_> {
    fn write(self, draft: &mut Draft) {
        draft.column.form = self.form as u32;
        draft.column.factor = self.factor;
        draft.base = self.base;
        draft.like = self.like.map_or(0, |(id, _)| *id);
        match self.run {
            Some(run) => {
                let mut bits = Writer::default();
                let like = self.like.map(|(_, like)| like.as_slice());
                run.write(&self.numbers, like, &mut bits);
                draft.run = Some(bits);
            }
            None => draft.column.numbers = Rc::unwrap_or_clone(self.numbers),
        }
    }
}

/// The smallest way so far.
#[derive(Default)]
struct Best<'a>(Option<Way<'a>>);

impl<'a> Best<'a> {
    fn bits(&self) -> usize {
        self.0.as_ref().map_or(usize::MAX, |best| best.bits)
    }

    /// Tries values in all forms, `base` being what they were told from.
    fn try_all(&mut self, base: u32, mut values: Vec<i64>, near: &'a Near<'_>) {
        let factor = take_factor_out(&mut values);
        let (form, numbers) = match base {
            1.. if values.iter().all(|value| *value <= 0) => {
                let below = values.iter().map(|value| value.unsigned_abs());
                (Form::Below, below.collect())
            }
            _ => direct(&values),
        };
        let way = |form, numbers: &Rc<Vec<u64>>, like| Way {
            base,
            factor,
            form,
            numbers: Rc::clone(numbers),
            like,
            run: None,
            bits: 0,
        };
        let numbers = Rc::new(numbers);
        self.try_run(way(form, &numbers, None));
        for like in &near.likes {
            self.try_run(way(form, &numbers, Some(like)));
        }
        if base == 0 {
            self.try_run(way(Form::Delta, &Rc::new(differences(&values)), None));
            let bits = 8 * cost(&numbers);
            if bits < self.bits() {
                let way = way(form, &numbers, None);
                self.0 = Some(Way { bits, ..way });
            }
        }
    }

    fn try_run(&mut self, way: Way<'a>) {
        let named = usize::from(way.base != 0) + usize::from(way.like.is_some());
        let like = way.like.map(|(_, like)| like.as_slice());
        let most = self.bits().saturating_sub(named * NAMING_BITS);
        if let Some(run) = Run::of(&way.numbers, like, most) {
            self.0 = Some(Way {
                bits: run.bits() + named * NAMING_BITS,
                run: Some(run),
                ..way
            });
        }
    }
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
    if let Some(run) = Run::of(numbers, None, usize::MAX) {
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

/// Memory comes in pages and limits in mebibytes: what all values have in common is sent once. Gives 0 for nothing.
fn take_factor_out(values: &mut [i64]) -> u64 {
    let mut factor = 0;
    for value in &*values {
        factor = gcd(factor, value.unsigned_abs());
        if factor == 1 {
            return 0;
        }
    }
    match u32::try_from(factor) {
        Ok(divisor @ 1..) => {
            for value in values {
                *value /= i64::from(divisor);
            }
            factor
        }
        _ => 0,
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
