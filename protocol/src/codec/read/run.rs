//! Numbers from a run of bits.

use super::super::{
    bits::{MOST_BITS, Reader},
    code::{
        CLASS_BITS, Decoder, FEW_BITS, LAST_CLASS, LENGTH_BITS, LIKE, MOST_CLASSES, MOST_LENGTH,
        open_bits,
    },
    fault::malformed,
};
use crate::Invalid;

/// Reads so many numbers, of none nothing; the caller has bounded how many. `like` has a class for each, if theirs are told by those.
pub(super) fn read(
    bits: &mut Reader<'_>,
    count: usize,
    like: Option<&[u32]>,
) -> Result<Vec<u64>, Invalid> {
    if count == 0 {
        return Ok(Vec::new());
    }
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
    let mut numbers = symbols_of(bits, &decoder, count);
    let likes = match like {
        Some(like) => Some(like.get(..count)?),
        None => None,
    };
    let mut largest = 0;
    for (at, number) in numbers.iter_mut().enumerate() {
        let like = likes.map_or(LIKE, |like| like[at]);
        let class = (first + like + *number as u32).wrapping_sub(LIKE);
        largest = class.max(largest);
        let open = open_bits(class).min(MOST_BITS);
        *number = u64::from(class > 0) << open | bits.take(open);
    }
    (largest <= LAST_CLASS).then_some(numbers)
}

/// The symbols of so many codes. One word has many of them.
fn symbols_of(bits: &mut Reader<'_>, decoder: &Decoder, count: usize) -> Vec<u64> {
    let mut symbols = vec![0; count];
    for some in symbols.chunks_mut((MOST_BITS / MOST_LENGTH) as usize) {
        let (mut word, mut read) = (bits.peek(), 0);
        for symbol in some {
            let (found, length) = decoder.symbol(word);
            *symbol = found.into();
            word >>= length;
            read += length;
        }
        bits.skip(read);
    }
    symbols
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
    if different == 1 {
        return Some(vec![all[0]; count]);
    }
    let mut numbers = symbols_of(bits, &decoder, count);
    for number in &mut numbers {
        *number = all[*number as usize % all.len()];
    }
    Some(numbers)
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
