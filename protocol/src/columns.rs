//! Rows as columns: the form on the wire, and what a reader makes its files of.

use std::sync::Arc;

use crate::Table;

/// Rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableData {
    /// Which.
    pub table: Table,
    /// How many.
    pub rows: usize,
    /// Columns that hold anything, by their id, ascending. What is not here is absent in every row.
    /// Columns of the header are never here.
    pub columns: Vec<ColumnData>,
}

/// One column of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnData {
    /// [`crate::Column::id`].
    pub id: u32,
    /// Whether each row has a value; `None` when all have.
    pub present: Option<Vec<bool>>,
    /// One value for each row that has one.
    pub values: Values,
}

/// Values of a column, those that are there.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of `Long`, `Int`, `Time` and `TimeText`.
    Longs(Vec<i64>),
    /// Of `Double`.
    Doubles(Vec<f64>),
    /// Of `Boolean`.
    Booleans(Vec<bool>),
    /// Of `Text`: numbers in the batch's list of texts.
    Texts(Vec<u32>, Arc<Texts>),
    /// Of `Texts`: how many in each row, and their numbers.
    Lists(Vec<u32>, Vec<u32>, Arc<Texts>),
}

impl Values {
    /// How many rows they are of.
    pub fn len(&self) -> usize {
        match self {
            Self::Longs(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Booleans(values) => values.len(),
            Self::Texts(numbers, _) => numbers.len(),
            Self::Lists(lengths, ..) => lengths.len(),
        }
    }

    /// Of no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Every text of a batch, once. All in one allocation: there are some for each pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    all: String,
    ends: Vec<u32>,
}

impl Texts {
    /// Texts one after the other in `all`, each up to one of the ends; `None` if one of those is not
    /// between two characters, or before another.
    pub(crate) fn new(all: String, ends: Vec<u32>) -> Option<Self> {
        let mut before = 0;
        for end in &ends {
            let end = *end as usize;
            if end < before || !all.is_char_boundary(end) {
                return None;
            }
            before = end;
        }
        Some(Self { all, ends })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of this number.
    pub fn get(&self, number: u32) -> Option<&str> {
        let number = number as usize;
        let start = match number.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.all.get(start..*self.ends.get(number)? as usize)
    }

    /// Bytes of the text of this number.
    #[inline]
    pub(crate) fn length(&self, number: u32) -> Option<usize> {
        let end = *self.ends.get(number as usize)?;
        let start = match number.checked_sub(1) {
            Some(before) => self.ends[before as usize],
            None => 0,
        };
        Some((end - start) as usize)
    }

    /// All, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..u32::MAX).map_while(|number| self.get(number))
    }
}

/// Of up to 4 GiB; what comes after that is not taken.
impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        for text in texts {
            let length = all.all.len() + text.as_ref().len();
            let Ok(end) = u32::try_from(length) else {
                break;
            };
            all.all.push_str(text.as_ref());
            all.ends.push(end);
        }
        all
    }
}
