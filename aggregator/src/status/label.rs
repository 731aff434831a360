//! Counters by label. Every value that a label can have is declared once, so that no request can make
//! a new series.

use std::{
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// A label whose values are known when the program is built.
pub trait Label: Copy {
    /// The values, in the order of [`Label::index`].
    const NAMES: &'static [&'static str];

    /// Which of them.
    fn index(self) -> usize;
}

/// An enum that is a label: its variants with the text that stands in the metrics.
macro_rules! label {
    ($(#[$about:meta])* $name:ident { $($(#[$variant_about:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_about])* $variant,)+
        }

        impl $crate::status::Label for $name {
            const NAMES: &'static [&'static str] = &[$($text),+];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use label;

/// One number for each value of a label.
#[derive(Debug)]
pub struct Counts<L> {
    counts: Box<[AtomicU64]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        Self {
            counts: L::NAMES.iter().map(|_| AtomicU64::new(0)).collect(),
            label: PhantomData,
        }
    }
}

impl<L: Label> Counts<L> {
    /// One more.
    pub fn count(&self, label: L) {
        self.counts[label.index()].fetch_add(1, Relaxed);
    }

    /// One less, of what goes up and down.
    pub fn uncount(&self, label: L) {
        self.counts[label.index()].fetch_sub(1, Relaxed);
    }

    /// How many.
    pub fn get(&self, label: L) -> u64 {
        self.counts[label.index()].load(Relaxed)
    }

    /// Each value with its number.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let numbers = self.counts.iter().map(|count| count.load(Relaxed));
        L::NAMES.iter().copied().zip(numbers)
    }
}

/// One number for each pair of values of two labels.
#[derive(Debug)]
pub struct Pairs<A, B> {
    counts: Box<[Counts<B>]>,
    label: PhantomData<fn(A)>,
}

impl<A: Label, B: Label> Default for Pairs<A, B> {
    fn default() -> Self {
        Self {
            counts: A::NAMES.iter().map(|_| Counts::default()).collect(),
            label: PhantomData,
        }
    }
}

impl<A: Label, B: Label> Pairs<A, B> {
    /// The numbers of one value of the first label.
    pub fn of(&self, label: A) -> &Counts<B> {
        &self.counts[label.index()]
    }

    /// Each value of the first label with its numbers.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &Counts<B>)> {
        A::NAMES.iter().copied().zip(self.counts.iter())
    }
}
