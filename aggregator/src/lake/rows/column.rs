//! One column of a file, its values where their rows go.

use super::{
    stored::{Present, Span, Stored},
    texts::ABSENT,
};

/// Values of one column in the order of the file.
#[derive(Debug)]
pub enum Placed<'a> {
    /// Of `Long`, `Int` and `Time`.
    Longs(Vec<i64>, Present),
    /// Of `Double`.
    Doubles(Vec<f64>, Present),
    /// Of `Boolean`.
    Booleans(Vec<bool>, Present),
    /// Of `Text` and `TimeText`: numbers in the pool.
    Texts(Vec<u32>),
    /// Of `Texts`: where each row's numbers stand in the list behind.
    Lists(Vec<Span>, &'a [u32]),
    /// Of any kind: so many rows, and no value in any of them.
    Absent(usize),
}

impl<'a> Placed<'a> {
    /// These rows, in this order.
    pub fn new(stored: &'a Stored, order: &[u32]) -> Self {
        match stored {
            Stored::Absent(..) => Self::Absent(order.len()),
            Stored::Longs(rows) => Self::Longs(rows.values.placed(order), rows.present(order)),
            Stored::Doubles(rows) => Self::Doubles(rows.values.placed(order), rows.present(order)),
            Stored::Booleans(rows) => {
                Self::Booleans(rows.values.placed(order), rows.present(order))
            }
            Stored::Texts(rows) => Self::Texts(rows.placed(order)),
            Stored::Lists(rows) => Self::Lists(rows.placed(order), &rows.items),
        }
    }

    /// Whether a row has no value.
    pub fn lacks_any(&self) -> bool {
        match self {
            Self::Longs(_, present) | Self::Doubles(_, present) | Self::Booleans(_, present) => {
                present
                    .as_ref()
                    .is_some_and(|present| present.contains(&false))
            }
            Self::Texts(numbers) => numbers.contains(&ABSENT),
            Self::Lists(spans, _) => spans.iter().any(Span::is_absent),
            Self::Absent(rows) => *rows > 0,
        }
    }
}
