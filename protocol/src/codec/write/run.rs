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
    Classes(usize),
    /// The numbers themselves, ascending.
    Few(Vec<u64>),
}

impl Run {
    /// The smallest one of fewer bits than these, if there is any. `like` has a class for each number: where there
    /// are any, those are told of which numbers have more or less.
    pub(super) fn of(numbers: &[u64], like: Option<&[u32]>, most: usize) -> Option<Self> {
        let classes = Self::classes(numbers, like, most).filter(|run| run.bits < most);
        let most = classes.as_ref().map_or(most, |run| run.bits);
        let few = like.is_none().then(|| Self::few(numbers)).flatten();
        few.filter(|run| run.bits < most).or(classes)
    }

    /// What it takes.
    pub(super) const fn bits(&self) -> usize {
        self.bits
    }

    fn classes(numbers: &[u64], like: Option<&[u32]>, most: usize) -> Option<Self> {
        let mut counts = [0; LAST_CLASS as usize + LIKE as usize + 1];
        let mut open = 0;
        for (at, number) in numbers.iter().enumerate() {
            // Whether one has a larger class is asked of all at once.
            let class = class(*number).min(LAST_CLASS);
            open += open_bits(class) as usize;
            counts[symbol(class, like, at)] += 1;
        }
        let first = counts.iter().position(|count| *count > 0)?;
        let last = counts.iter().rposition(|count| *count > 0)?;
        let largest = numbers.iter().fold(0, |all, number| all | number);
        let header = 1 + 2 * CLASS_BITS + u32::from(like.is_some());
        let others = header as usize + open;
        if class(largest) > LAST_CLASS || last - first >= MOST_CLASSES || others >= most {
            return None;
        }
        let symbols = Symbols::Classes(first);
        Some(Self::with(symbols, &counts[first..=last], others))
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
                to.put(*first as u64, CLASS_BITS + u32::from(like.is_some()));
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
                Symbols::Classes(first) => symbol(class(*number), like, at) - first,
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

fn symbol(class: u32, like: Option<&[u32]>, at: usize) -> usize {
    let symbol = match like {
        Some(like) => class + LIKE - like[at],
        None => class,
    };
    symbol as usize
}
