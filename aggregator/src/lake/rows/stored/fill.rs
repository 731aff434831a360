//! Values for rows that came without.

use std::sync::Arc;

use protocol::columns::Values;

use super::{Stored, lists::Span};

/// Each of these takes the value of a row from its number. A column of another kind stays as it is.
impl Stored {
    /// Numbers in the pool, from those before.
    pub fn fill_texts(&mut self, number: impl Fn(usize, u32) -> u32) {
        self.be_like(&Values::Texts(Vec::new(), Arc::default()));
        if let Self::Texts(rows) = self {
            for (row, slot) in rows.each_mut().iter_mut().enumerate() {
                *slot = number(row, *slot);
            }
        }
    }

    /// Where there is none.
    pub fn fill_longs(&mut self, value: impl Fn(usize) -> Option<i64>) {
        self.be_like(&Values::Longs(Vec::new()));
        if let Self::Longs(rows) = self {
            rows.fill(value);
        }
    }

    /// Where there is none.
    pub fn fill_booleans(&mut self, value: impl Fn(usize) -> Option<bool>) {
        self.be_like(&Values::Booleans(Vec::new()));
        if let Self::Booleans(rows) = self {
            rows.fill(value);
        }
    }

    /// Where there is none: lists among these items.
    pub fn fill_lists(&mut self, items: &[u32], span: impl Fn(usize) -> Option<Span>) {
        self.be_like(&Values::Lists(Vec::new(), Vec::new(), Arc::default()));
        if let Self::Lists(rows) = self {
            rows.fill(items, span);
        }
    }
}
