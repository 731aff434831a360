//! Packed numbers, and what becomes of them.

use super::super::{reader::varint, schema::Form};

/// 2020-01-01T00:00:00Z: no agent is older.
const FIRST_US: i64 = 1_577_836_800_000_000;
/// 2100-01-01T00:00:00Z.
const END_US: i64 = 4_102_444_800_000_000;

/// Whether a clock may have said so.
pub(super) const fn is_time(unix_us: i64) -> bool {
    unix_us > FIRST_US && unix_us < END_US
}

/// Reads exactly `count` packed numbers, or one that stands for all of them. `None` if they are more
/// or fewer, or no numbers; no more than `count` are allocated.
pub(super) fn integers(mut packed: &[u8], form: Form, count: usize) -> Option<Vec<i64>> {
    let first = varint(&mut packed)?;
    let first = match form {
        Form::Plain => first.cast_signed(),
        Form::Zigzag | Form::Delta => unzigzag(first),
    };
    if packed.is_empty() {
        return Some(vec![first; count]);
    }
    let mut values = Vec::with_capacity(count);
    values.push(first);
    match form {
        Form::Plain => fill(&mut values, packed, count, u64::cast_signed),
        Form::Zigzag => fill(&mut values, packed, count, unzigzag),
        Form::Delta => {
            let mut last = first;
            fill(&mut values, packed, count, |number| {
                last = last.wrapping_add(unzigzag(number));
                last
            })
        }
    }?;
    Some(values)
}

#[inline]
fn fill(
    values: &mut Vec<i64>,
    mut packed: &[u8],
    count: usize,
    mut value: impl FnMut(u64) -> i64,
) -> Option<()> {
    while !packed.is_empty() {
        if values.len() == count {
            return None;
        }
        values.push(value(varint(&mut packed)?));
    }
    (values.len() == count).then_some(())
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
