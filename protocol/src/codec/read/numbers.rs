//! Packed numbers, and what becomes of them.

use super::super::{
    reader::{long_varint, varint},
    schema::Form,
};

/// 2020-01-01T00:00:00Z: no agent is older.
const FIRST_US: i64 = 1_577_836_800_000_000;
/// 2100-01-01T00:00:00Z.
const END_US: i64 = 4_102_444_800_000_000;

/// Whether a clock may have said so.
pub(super) const fn is_time(unix_us: i64) -> bool {
    unix_us > FIRST_US && unix_us < END_US
}

/// Why numbers are no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They are more or fewer than the values, or no numbers.
    Count,
    /// The value at this place is none of the column's.
    Value(usize),
}

/// Numbers of a column.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    /// As they are on the wire: one for each value, or one for all.
    Varints(&'a [u8]),
    /// One for each value, read from a run.
    Run(Vec<u64>),
    /// One for all, signed.
    All(u64),
}

/// Numbers of a column, and how they are to be read.
#[derive(Debug)]
pub(super) struct Packed<'a> {
    /// Which.
    pub(super) numbers: Numbers<'a>,
    /// How they are to be read.
    pub(super) form: Form,
    /// What each is multiplied by.
    pub(super) factor: i64,
    /// What each is added to, or taken from: a value for each.
    pub(super) base: Option<&'a [i64]>,
}

impl Packed<'_> {
    /// Makes `count` values of them. `value` is told how many rows each stands for; it gives nothing
    /// for what is no value of the column. No more than `count` are allocated.
    #[inline]
    pub(super) fn values<T: Copy>(
        self,
        count: usize,
        mut value: impl FnMut(i64, usize) -> Option<T>,
    ) -> Result<Vec<T>, Fault> {
        let (form, factor) = (self.form, self.factor);
        if let (Numbers::Run(numbers), Some(base)) = (&self.numbers, self.base) {
            let mut bases = base.iter();
            return each(numbers, |number| {
                let far = match form {
                    Form::Zigzag => unzigzag(number),
                    _ => number.cast_signed(),
                };
                let (far, base) = (far.checked_mul(factor)?, bases.next()?);
                let sum = match form {
                    Form::Below => base.checked_sub(far),
                    _ => base.checked_add(far),
                };
                value(sum?, 1)
            });
        }
        let mut value = |number: i64, rows| value(number.checked_mul(factor)?, rows);
        match self.numbers {
            Numbers::Varints(bytes) => varints(bytes, form, count, value),
            Numbers::All(number) => {
                let value = value(unzigzag(number), count).ok_or(Fault::Value(0))?;
                Ok(vec![value; count])
            }
            Numbers::Run(numbers) => match form {
                Form::Plain | Form::Below => {
                    each(&numbers, |number| value(number.cast_signed(), 1))
                }
                Form::Zigzag => each(&numbers, |number| value(unzigzag(number), 1)),
                Form::Delta => {
                    let mut last: i64 = 0;
                    each(&numbers, |number| {
                        last = last.wrapping_add(unzigzag(number));
                        value(last, 1)
                    })
                }
            },
        }
    }
}

#[inline]
fn each<T>(numbers: &[u64], mut value: impl FnMut(u64) -> Option<T>) -> Result<Vec<T>, Fault> {
    let mut values = Vec::with_capacity(numbers.len());
    for number in numbers {
        values.push(value(*number).ok_or(Fault::Value(values.len()))?);
    }
    Ok(values)
}

#[inline]
fn varints<T: Copy>(
    mut rest: &[u8],
    form: Form,
    count: usize,
    mut value: impl FnMut(i64, usize) -> Option<T>,
) -> Result<Vec<T>, Fault> {
    let first = varint(&mut rest).ok_or(Fault::Count)?;
    let first = match form {
        Form::Plain | Form::Below => first.cast_signed(),
        Form::Zigzag | Form::Delta => unzigzag(first),
    };
    if rest.is_empty() {
        let value = value(first, count).ok_or(Fault::Value(0))?;
        return Ok(vec![value; count]);
    }
    let mut values = Vec::with_capacity(count);
    values.push(value(first, 1).ok_or(Fault::Value(0))?);
    match form {
        Form::Plain | Form::Below => fill(&mut values, rest, count, |number| {
            value(number.cast_signed(), 1)
        }),
        Form::Zigzag => fill(&mut values, rest, count, |number| {
            value(unzigzag(number), 1)
        }),
        Form::Delta => {
            let mut last = first;
            fill(&mut values, rest, count, |number| {
                last = last.wrapping_add(unzigzag(number));
                value(last, 1)
            })
        }
    }?;
    Ok(values)
}

#[inline]
fn fill<T>(
    values: &mut Vec<T>,
    mut rest: &[u8],
    count: usize,
    mut value: impl FnMut(u64) -> Option<T>,
) -> Result<(), Fault> {
    while values.len() < count {
        let number = long_varint(&mut rest).ok_or(Fault::Count)?;
        values.push(value(number).ok_or(Fault::Value(values.len()))?);
    }
    match rest.is_empty() {
        true => Ok(()),
        false => Err(Fault::Count),
    }
}

#[inline]
pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// Reads exactly `count` packed doubles, or one that stands for all of them.
pub(super) fn doubles(packed: &[u8], count: usize) -> Option<Vec<f64>> {
    let (eights, rest) = packed.as_chunks::<8>();
    if !rest.is_empty() {
        return None;
    }
    match eights {
        [one] => Some(vec![f64::from_le_bytes(*one); count]),
        _ if eights.len() == count => Some(
            eights
                .iter()
                .map(|eight| f64::from_le_bytes(*eight))
                .collect(),
        ),
        _ => None,
    }
}
