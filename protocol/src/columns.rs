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

/// Every text of a batch, once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<Box<str>>);
