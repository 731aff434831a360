//! A column of texts as Parquet's levels and numbers of its dictionary.

use std::ops::Range;

use super::super::{
    column::Placed,
    ranks::{self, Ranks},
    stored::Span,
    texts::{ABSENT, Pool},
};

/// So many texts are a dictionary, however seldom each comes.
const FEW: usize = 256;

/// What a column holds, in numbers of the pool.
#[derive(Clone, Copy)]
pub enum Leaves<'a> {
    /// One text in each row, or none.
    Texts(&'a [u32]),
    /// A list in each row, or none.
    Lists(&'a [Span], &'a [u32]),
}

/// Rows as Parquet wants them.
#[derive(Default)]
pub struct Page {
    /// 0 where a row begins. Only of lists.
    pub reps: Vec<u32>,
    /// How much of the value is there.
    pub defs: Vec<u32>,
    /// The values that are there.
    pub values: Vec<u32>,
}

impl<'a> Leaves<'a> {
    /// Of a column, if it is of texts.
    pub fn of(placed: &'a Placed<'_>) -> Option<Self> {
        match placed {
            Placed::Texts(numbers) => Some(Self::Texts(numbers)),
            Placed::Lists(spans, items) => Some(Self::Lists(spans, items)),
            _ => None,
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Texts(numbers) => numbers.len(),
            Self::Lists(spans, _) => spans.len(),
        }
    }

    /// How many texts, at most.
    fn values(&self) -> usize {
        match self {
            Self::Texts(numbers) => numbers.len(),
            Self::Lists(spans, _) => spans.iter().map(Span::len).sum(),
        }
    }

    /// The texts, though not as often as they come.
    fn numbers(&self) -> &'a [u32] {
        match self {
            Self::Texts(numbers) => numbers,
            Self::Lists(_, items) => items,
        }
    }

    /// Where a page that starts here ends.
    pub fn end(&self, start: usize, most_rows: usize, most_values: usize) -> usize {
        let end = start.saturating_add(most_rows).min(self.rows());
        let Self::Lists(spans, _) = self else {
            return end;
        };
        let mut values = 0_usize;
        let rows = spans.get(start..end).unwrap_or_default();
        let is_over = |span: &Span| {
            values = values.saturating_add(span.len().max(1));
            values > most_values
        };
        let over = rows.iter().position(is_over);
        over.map_or(end, |over| start.saturating_add(over.max(1)))
    }

    /// Puts rows into a page.
    pub fn page(&self, rows: Range<usize>, is_nullable: bool, dictionary: &Ranks, page: &mut Page) {
        page.reps.clear();
        page.defs.clear();
        page.values.clear();
        match self {
            Self::Texts(numbers) => {
                for number in numbers.get(rows).unwrap_or_default() {
                    let has = *number != ABSENT;
                    page.defs.push(u32::from(has || !is_nullable));
                    if has {
                        page.values.push(dictionary.of(*number));
                    }
                }
            }
            Self::Lists(spans, items) => {
                for span in spans.get(rows).unwrap_or_default() {
                    let items = span.of(items);
                    let empty = u32::from(is_nullable);
                    page.reps.push(0);
                    match items.len().checked_sub(1) {
                        _ if span.is_absent() => page.defs.push(0),
                        None => page.defs.push(empty),
                        Some(further) => {
                            page.reps.extend(std::iter::repeat_n(1, further));
                            page.defs
                                .extend(std::iter::repeat_n(empty + 1, items.len()));
                            page.values
                                .extend(items.iter().map(|number| dictionary.of(*number)));
                        }
                    }
                }
            }
        }
    }
}

/// The texts of a column, in their order unless they are of lists, so that their numbers compare as they do; `None` if most come
/// once only, so that a dictionary would save nothing.
pub fn dictionary(leaves: Leaves<'_>, pool: &Pool) -> Option<Ranks> {
    let distinct = ranks::distinct(pool, leaves.numbers());
    if distinct.is_empty() || distinct.len() > leaves.values().div_ceil(2).max(FEW) {
        return None;
    }
    Some(match leaves {
        Leaves::Texts(_) => Ranks::new(pool, distinct),
        Leaves::Lists(..) => Ranks::as_they_came(pool, distinct),
    })
}
