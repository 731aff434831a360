//! Numbers from a run of bits.

use super::super::{
    bits::{MOST_BITS, Reader, mask},
    code::{CLASS_BITS, Decoder, FEW_BITS, LAST_CLASS, LENGTH_BITS, LIKE, MOST_CLASSES, open_bits},
    fault::malformed,
};
use crate::Invalid;

/// Reads so many numbers; the caller has bounded how many. `like` has a class for each, if theirs are told by those.
pub(super) fn read(
    bits: &mut Reader<'_>,
    count: usize,
    like: Option<&[u32]>,
) -> Result<Vec<u64>, Invalid> {
    let numbers = match bits.take(1) {
        0 => classes(bits, count, like),
        _ => few(bits, count),
    };
    bits.check()?;
    numbers.ok_or_else(|| malformed("bits", "have no code where one is due"))
}

fn classes(bits: &mut Reader<'_>, count: usize, like: Option<&[u32]>) -> Option<Vec<u64>> {
    let first = bits.take(CLASS_BITS + u32::from(like.is_some())) as u32;
    let symbols = bits.take(CLASS_BITS) as usize;
    let decoder = decoder(bits, symbols)?;
    let mut numbers = Vec::with_capacity(count);
    match like {
        None => {
            for _ in 0..count {
                numbers.push(number(bits, &decoder, first)?);
            }
        }
        Some(like) => {
            for like in like.get(..count)? {
                numbers.push(number(bits, &decoder, (first + like).wrapping_sub(LIKE))?);
            }
        }
    }
    Some(numbers)
}

/// A code and what its class leaves open.
#[inline]
fn number(bits: &mut Reader<'_>, decoder: &Decoder, first: u32) -> Option<u64> {
    let (symbol, length, word) = decoder.peek(bits);
    let class = first.wrapping_add(symbol);
    if class > LAST_CLASS {
        return None;
    }
    let open = open_bits(class);
    bits.skip(length + open);
    let first = u64::from(class > 0) << open;
    Some(first | (word >> length & mask(open)))
}

fn few(bits: &mut Reader<'_>, count: usize) -> Option<Vec<u64>> {
    let different = bits.take(FEW_BITS) as usize;
    let mut all = [0; 1 << FEW_BITS];
    for number in all.iter_mut().take(different) {
        let class = bits.take(CLASS_BITS) as u32;
        if class > MOST_BITS {
            return None;
        }
        *number = bits.take(class);
    }
    let decoder = decoder(bits, different)?;
    let number = |_| {
        let (symbol, length, _) = decoder.peek(bits);
        bits.skip(length);
        all[symbol as usize % all.len()]
    };
    Some((0..count).map(number).collect())
}

/// The code of so many symbols.
fn decoder(bits: &mut Reader<'_>, symbols: usize) -> Option<Decoder> {
    if symbols == 0 || symbols > MOST_CLASSES {
        return None;
    }
    let mut lengths = [0; MOST_CLASSES];
    for length in &mut lengths[..symbols] {
        *length = bits.take(LENGTH_BITS) as u32;
    }
    Decoder::new(&lengths[..symbols])
}
