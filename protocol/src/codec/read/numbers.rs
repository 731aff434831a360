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

/// Numbers of a column as they are on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    /// One for each value, or one for all.
    pub(super) bytes: &'a [u8],
    /// How they are to be read.
    pub(super) form: Form,
    /// What each is multiplied by.
    pub(super) factor: i64,
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
        let mut rest = self.bytes;
        let first = varint(&mut rest).ok_or(Fault::Count)?;
        let first = match self.form {
            Form::Plain => first.cast_signed(),
            Form::Zigzag | Form::Delta => unzigzag(first),
        };
        let factor = self.factor;
        let mut value = |number: i64, rows| value(number.checked_mul(factor)?, rows);
        if rest.is_empty() {
            let value = value(first, count).ok_or(Fault::Value(0))?;
            return Ok(vec![value; count]);
        }
        let mut values = Vec::with_capacity(count);
        values.push(value(first, 1).ok_or(Fault::Value(0))?);
        match self.form {
            Form::Plain => fill(&mut values, rest, count, |number| {
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
const fn unzigzag(number: u64) -> i64 {
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
