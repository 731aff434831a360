//! Numbers as a run of bits.

use crate::codec::{
    bits::{MOST_BITS, Writer},
    code::{
        CLASS_BITS, FEW_BITS, LAST_CLASS, LENGTH_BITS, LIKE, MOST_CLASSES, class, codes, lengths,
        open_bits,
    },
};

/// How numbers become a run.
pub(super) struct Run {
    symbols: Symbols,
    lengths: Vec<u32>,
    bits: usize,
}

enum Symbols {
    /// The classes from this one on.
    Classes(u32),
    /// The numbers themselves, ascending.
    Few(Vec<u64>),
}

impl Run {
    /// The smallest one, if there is any. `like` has a class for each number: where there are any, those are
    /// told of which numbers have more or less.
    pub(super) fn of(numbers: &[u64], like: Option<&[u32]>) -> Option<Self> {
        let classes = Self::classes(numbers, like);
        let few = like.is_none().then(|| Self::few(numbers)).flatten();
        [classes, few]
            .into_iter()
            .flatten()
            .min_by_key(|run| run.bits)
    }

    /// What it takes.
    pub(super) const fn bits(&self) -> usize {
        self.bits
    }

    fn classes(numbers: &[u64], like: Option<&[u32]>) -> Option<Self> {
        let symbols = || {
            numbers
                .iter()
                .enumerate()
                .map(|(at, number)| symbol(*number, like, at))
        };
        let (first, last) = (symbols().min()?, symbols().max()?);
        let largest = numbers.iter().copied().max()?;
        let count = (last - first + 1) as usize;
        if class(largest) > LAST_CLASS || count > MOST_CLASSES {
            return None;
        }
        let mut counts = vec![0; count];
        symbols().for_each(|symbol| counts[(symbol - first) as usize] += 1);
        let open: usize = numbers
            .iter()
            .map(|number| open_bits(class(*number)) as usize)
            .sum();
        let header = 1 + 2 * CLASS_BITS + u32::from(like.is_some());
        Some(Self::with(
            Symbols::Classes(first),
            &counts,
            header as usize + open,
        ))
    }

    fn few(numbers: &[u64]) -> Option<Self> {
        let mut all: Vec<u64> = Vec::new();
        for number in numbers {
            if let Err(at) = all.binary_search(number) {
                all.insert(at, *number);
            }
            if all.len() >= 1 << FEW_BITS {
                return None;
            }
        }
        if class(*all.last()?) > MOST_BITS {
            return None;
        }
        let mut counts = vec![0; all.len()];
        for number in numbers {
            counts[all.binary_search(number).ok()?] += 1;
        }
        let told = all
            .iter()
            .map(|number| (CLASS_BITS + class(*number)) as usize);
        let header = 1 + FEW_BITS as usize + told.sum::<usize>();
        Some(Self::with(Symbols::Few(all), &counts, header))
    }

    fn with(symbols: Symbols, counts: &[u32], others: usize) -> Self {
        let lengths = lengths(counts);
        let codes = counts.iter().zip(&lengths);
        let codes = codes.map(|(count, length)| *count as usize * *length as usize);
        let bits = others + lengths.len() * LENGTH_BITS as usize + codes.sum::<usize>();
        Self {
            symbols,
            lengths,
            bits,
        }
    }

    /// Writes the code, then the numbers.
    pub(super) fn write(&self, numbers: &[u64], like: Option<&[u32]>, to: &mut Writer) {
        let few = matches!(self.symbols, Symbols::Few(_));
        to.put(u64::from(few), 1);
        match &self.symbols {
            Symbols::Classes(first) => {
                to.put(u64::from(*first), CLASS_BITS + u32::from(like.is_some()));
                to.put(self.lengths.len() as u64, CLASS_BITS);
            }
            Symbols::Few(all) => {
                to.put(all.len() as u64, FEW_BITS);
                for number in all {
                    to.put(u64::from(class(*number)), CLASS_BITS);
                    to.put(*number, class(*number));
                }
            }
        }
        for length in &self.lengths {
            to.put(u64::from(*length), LENGTH_BITS);
        }
        let codes = codes(&self.lengths).unwrap_or_default();
        for (at, number) in numbers.iter().enumerate() {
            let symbol = match &self.symbols {
                Symbols::Classes(first) => (symbol(*number, like, at) - first) as usize,
                Symbols::Few(all) => all.binary_search(number).unwrap_or_default(),
            };
            to.put(u64::from(codes[symbol]), self.lengths[symbol]);
        }
        if !few {
            for number in numbers {
                to.put(*number, open_bits(class(*number)));
            }
        }
    }
}

fn symbol(number: u64, like: Option<&[u32]>, at: usize) -> u32 {
    match like {
        Some(like) => class(number) + LIKE - like[at],
        None => class(number),
    }
}
