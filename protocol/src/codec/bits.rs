//! A string of bits, the lowest of each byte first: what takes no whole bytes goes there.

use super::fault::malformed;
use crate::Invalid;

/// Most bits that are read at once: what a word holds from any bit of its first byte on.
pub(super) const MOST_BITS: u32 = 56;

/// Bits while they are written.
#[derive(Clone, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    open: u64,
    open_bits: u32,
}

impl Writer {
    /// Adds the lowest `bits` of a number, at most [`MOST_BITS`].
    pub(super) fn put(&mut self, number: u64, bits: u32) {
        let number = number & mask(bits);
        self.open |= number << self.open_bits;
        self.open_bits += bits;
        if self.open_bits >= u64::BITS {
            self.bytes.extend_from_slice(&self.open.to_le_bytes());
            self.open_bits -= u64::BITS;
            // At least one of its bits was taken, and not all are left.
            self.open = number >> (bits - self.open_bits);
        }
    }

    /// Adds all bits of another.
    pub(super) fn append(&mut self, other: &Self) {
        let halves = other.bytes.as_chunks().0.iter();
        for half in halves.map(|half| u32::from_le_bytes(*half)) {
            self.put(half.into(), u32::BITS);
        }
        let low = other.open_bits.min(u32::BITS);
        self.put(other.open, low);
        self.put(other.open >> low, other.open_bits - low);
    }

    /// All of them, and zeros up to a whole byte.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let open = self.open_bits.div_ceil(8) as usize;
        self.bytes
            .extend_from_slice(&self.open.to_le_bytes()[..open]);
        self.bytes
    }
}

/// Bits that were not read yet.
#[derive(Clone, Copy, Default)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// All of these.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bits, at least [`MOST_BITS`] of them; zeros behind the end.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let first = self.at / 8;
        let eight = self.bytes.get(first..).and_then(<[u8]>::first_chunk);
        let word = match eight {
            Some(eight) => u64::from_le_bytes(*eight),
            None => self.last(first),
        };
        word >> (self.at % 8)
    }

    /// What is left behind this byte, fewer than eight.
    #[cold]
    fn last(&self, first: usize) -> u64 {
        let rest = self.bytes.get(first..).unwrap_or_default();
        let bytes = rest.iter().rev();
        bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// Goes on behind so many bits. Whether they were there is asked once for many by [`Self::check`].
    #[inline]
    pub(super) const fn skip(&mut self, bits: u32) {
        self.at += bits as usize;
    }

    /// Takes a number of so many bits, at most [`MOST_BITS`].
    #[inline]
    pub(super) fn take(&mut self, bits: u32) -> u64 {
        let number = self.peek() & mask(bits);
        self.skip(bits);
        number
    }

    /// Refuses what was read from behind the end.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        match self.at <= self.bytes.len() * 8 {
            true => Ok(()),
            false => Err(malformed("bits", "are fewer than numbers need")),
        }
    }

    /// Refuses what nobody read: whole bytes, or bits that are not 0.
    pub(super) fn finish(&self) -> Result<(), Invalid> {
        match self.at.div_ceil(8) == self.bytes.len() && self.peek() == 0 {
            true => Ok(()),
            false => Err(malformed("bits", "are more than numbers need")),
        }
    }
}

/// The lowest bits.
#[inline]
pub(super) const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn bits_come_back_as_they_were(numbers in vec((any::<u64>(), 0..=MOST_BITS), 0..50)) {
            let mut writer = Writer::default();
            let (first, second) = numbers.split_at(numbers.len() / 2);
            for (number, bits) in first {
                writer.put(*number, *bits);
            }
            let mut other = Writer::default();
            for (number, bits) in second {
                other.put(*number, *bits);
            }
            writer.append(&other);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for (number, bits) in numbers {
                prop_assert_eq!(reader.take(bits), number & mask(bits));
            }
            reader.finish().unwrap();
            reader.skip(8);
            prop_assert!(reader.check().is_err());
        }
    }
}
