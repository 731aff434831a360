//! Columns in the order in which their rows came. They are copied here while the batch that they came
//! with is still in the processor's caches: a batch's own vectors, read again column by column, would
//! come from memory each time.

mod fill;
mod lists;
mod rows;

use std::{mem, sync::Arc};

use protocol::{Timestamp, columns::Values};

use super::{
    texts::{ABSENT, Pool},
    time,
};

pub use lists::{Lists, Span};
pub use rows::{Present, Rows, Sparse};

/// A column.
#[derive(Debug)]
pub enum Stored {
    /// So many rows, and no value in any; and how many are expected.
    Absent(usize, usize),
    /// Of `Long`, `Int`, `Time` and `TimeText`.
    Longs(Sparse<i64>),
    /// Of `Double`.
    Doubles(Sparse<f64>),
    /// Of `Boolean`.
    Booleans(Sparse<bool>),
    /// Of `Text`: numbers in the pool, or [`ABSENT`].
    Texts(Rows<u32>),
    /// Of `Texts`.
    Lists(Lists),
}

impl Stored {
    /// No rows yet.
    pub fn new(most: usize) -> Self {
        Self::Absent(0, most)
    }

    /// Adds a batch's rows. Texts are numbers of the pool already.
    pub fn push(&mut self, present: Option<&[bool]>, values: &Values) {
        self.be_like(values);
        match (self, values) {
            (Self::Longs(rows), Values::Longs(values)) => rows.push(present, values),
            (Self::Doubles(rows), Values::Doubles(values)) => rows.push(present, values),
            (Self::Booleans(rows), Values::Booleans(values)) => rows.push(present, values),
            (Self::Texts(rows), Values::Texts(numbers, _)) => match present {
                None => rows.push(numbers),
                Some(has) => rows.push_some(has, numbers, ABSENT),
            },
            (Self::Lists(rows), Values::Lists(lens, items, _)) => rows.push(present, lens, items),
            // A column has one kind: no checked batch comes here.
            (stored, values) => {
                stored.push_absent(present.map_or(values.len(), <[bool]>::len));
            }
        }
    }

    /// Adds rows of one number.
    pub fn push_long(&mut self, value: i64, rows: usize) {
        self.be_like(&Values::Longs(Vec::new()));
        match self {
            Self::Longs(stored) => stored.push_same(Some(value), rows),
            _ => self.push_absent(rows),
        }
    }

    /// Adds rows of one text, by its number in the pool.
    pub fn push_text(&mut self, number: u32, rows: usize) {
        if let Self::Absent(..) = self {
            self.be_like(&Values::Texts(Vec::new(), Arc::default()));
        }
        match self {
            Self::Texts(stored) => stored.push_same(number, rows),
            _ => self.push_absent(rows),
        }
    }

    /// Adds rows without a value.
    pub fn push_absent(&mut self, more: usize) {
        match self {
            Self::Absent(rows, _) => *rows = rows.saturating_add(more),
            Self::Longs(rows) => rows.push_same(None, more),
            Self::Doubles(rows) => rows.push_same(None, more),
            Self::Booleans(rows) => rows.push_same(None, more),
            Self::Texts(rows) => rows.push_same(ABSENT, more),
            Self::Lists(rows) => rows.push_absent(more),
        }
    }

    /// Takes it, so that it is let go before the next.
    pub fn take(&mut self) -> Self {
        mem::replace(self, Self::new(0))
    }

    /// Times as texts. Rows that came together mostly tell one time, and they are still together here.
    pub fn into_time_texts(self, pool: &mut Pool) -> Self {
        let Self::Longs(rows) = self else {
            return self;
        };
        let mut last = None;
        let mut number = |unix_us: i64| match last {
            Some((known, number)) if known == unix_us => number,
            _ => {
                let number = pool.shared(&time::iso(Timestamp { unix_us }));
                last = Some((unix_us, number));
                number
            }
        };
        let mut texts = rows.values.map(&mut number);
        if let Some(present) = &rows.present {
            texts.clear_where(present, ABSENT);
        }
        Self::Texts(texts)
    }

    /// From the first value on it has a kind.
    fn be_like(&mut self, values: &Values) {
        let Self::Absent(rows, most) = *self else {
            return;
        };
        *self = match values {
            Values::Longs(_) => Self::Longs(Sparse::new(most)),
            Values::Doubles(_) => Self::Doubles(Sparse::new(most)),
            Values::Booleans(_) => Self::Booleans(Sparse::new(most)),
            Values::Texts(..) => Self::Texts(Rows::new(most)),
            Values::Lists(..) => Self::Lists(Lists::default()),
        };
        if rows > 0 {
            self.push_absent(rows);
        }
    }
}
