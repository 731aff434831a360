//! Numbers as symbols of a prefix code, each followed by the bits that its symbol leaves open.
//!
//! A symbol is either a *class*, the bits that a number takes without leading zeros, or the number
//! itself, where there are few different ones. The code's lengths are in front of the numbers; with them it is
//! the canonical one: shorter codes first, those of a length in the order of their symbols.

use super::bits::MOST_BITS;

/// Longest code.
pub(super) const MOST_LENGTH: u32 = 7;
/// Bits of a code's length.
pub(super) const LENGTH_BITS: u32 = 3;
/// Largest class: what it leaves open is read at once.
pub(super) const LAST_CLASS: u32 = MOST_BITS + 1;
/// Most classes, from 0.
pub(super) const MOST_CLASSES: usize = LAST_CLASS as usize + 1;
/// Bits of a class.
pub(super) const CLASS_BITS: u32 = 6;
/// Bits of the number of different numbers.
pub(super) const FEW_BITS: u32 = 4;
/// What is added to a class less that of another number, so that it can't be negative.
pub(super) const LIKE: u32 = 64;

/// Bits that a number takes.
#[inline]
pub(super) const fn class(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// Bits that its class leaves open: all but the first.
#[inline]
pub(super) const fn open_bits(class: u32) -> u32 {
    class.saturating_sub(1)
}

/// Classes of another column's values, by which those of numbers are told: one is like the other.
pub(super) fn like_longs(values: &[i64]) -> Vec<u32> {
    let classes = values.iter().map(|value| class(value.unsigned_abs()));
    classes.collect()
}

/// The same of doubles, as billionths.
pub(super) fn like_doubles(values: &[f64]) -> Vec<u32> {
    let classes = values.iter().map(|value| class((value.abs() * 1e9) as u64));
    classes.collect()
}

/// The code of each symbol, its first bit lowest. `None` if the lengths are those of no code.
pub(super) fn codes(lengths: &[u32]) -> Option<Vec<u32>> {
    let mut codes = vec![0; lengths.len()];
    let mut next = 0;
    for length in 1..=MOST_LENGTH {
        next <<= 1;
        for (code, _) in (codes.iter_mut().zip(lengths)).filter(|(_, other)| **other == length) {
            *code = u32::reverse_bits(next) >> (u32::BITS - length);
            next += 1;
        }
    }
    let is_single = lengths.len() == 1 && lengths[0] == 0;
    (is_single || next == 1 << MOST_LENGTH).then_some(codes)
}

/// The lengths of the best code for symbols that come so often; 0 for one that never comes.
pub(super) fn lengths(counts: &[u32]) -> Vec<u32> {
    let mut counts = counts.to_vec();
    loop {
        let lengths = unbounded(&counts);
        if lengths.iter().all(|length| *length <= MOST_LENGTH) {
            return lengths;
        }
        // Rare ones become less rare until no code is too long.
        for count in counts.iter_mut().filter(|count| **count > 0) {
            *count = *count / 2 + 1;
        }
    }
}

/// Huffman's: the two rarest become one, again and again.
fn unbounded(counts: &[u32]) -> Vec<u32> {
    let mut lengths = vec![0; counts.len()];
    let used = (0..).zip(counts).filter(|(_, count)| **count > 0);
    let mut trees: Vec<(u32, u64)> = used.map(|(at, count)| (*count, 1 << at)).collect();
    trees.sort_unstable_by(|left, right| right.cmp(left));
    while let (Some(one), Some(other)) = (trees.pop(), trees.pop()) {
        let both = (one.0 + other.0, one.1 | other.1);
        let mut symbols = both.1;
        while symbols != 0 {
            lengths[symbols.trailing_zeros() as usize] += 1;
            symbols &= symbols - 1;
        }
        let at = trees.partition_point(|tree| *tree > both);
        trees.insert(at, both);
    }
    lengths
}

/// What stands behind [`MOST_LENGTH`] bits, whichever they are.
pub(super) struct Decoder {
    entries: [(u8, u8); 1 << MOST_LENGTH],
}

impl Decoder {
    /// Of a code with these lengths.
    pub(super) fn new(lengths: &[u32]) -> Option<Self> {
        let codes = codes(lengths)?;
        let mut entries = [(0, 0); 1 << MOST_LENGTH];
        for ((symbol, code), length) in (0..).zip(codes).zip(lengths) {
            if *length > 0 {
                let entries = entries.iter_mut().skip(code as usize);
                entries
                    .step_by(1 << length)
                    .for_each(|entry| *entry = (symbol, *length as u8));
            }
        }
        Some(Self { entries })
    }

    /// The symbol that these bits begin with, and the length of its code.
    #[inline]
    pub(super) const fn symbol(&self, bits: u64) -> (u8, u32) {
        let (symbol, length) = self.entries[bits as usize % self.entries.len()];
        (symbol, length as u32)
    }
}
