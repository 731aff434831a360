//! Lists of texts in the order in which they came.

use super::super::texts::{ABSENT, as_u32};

/// Lists of numbers in the pool. Neighbours that are alike are kept once.
#[derive(Debug, Default)]
pub struct Lists {
    /// Where each row's list is.
    pub spans: Vec<Span>,
    /// What the lists hold.
    pub items: Vec<u32>,
}

/// Where a row's list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    /// How many; [`ABSENT`] for no list at all.
    len: u32,
}

impl Span {
    /// No list.
    pub const ABSENT: Self = Self {
        start: 0,
        len: ABSENT,
    };

    /// The list of so many items that is put behind these.
    pub fn next(items: &[u32], len: usize) -> Self {
        Self {
            start: as_u32(items.len()),
            len: as_u32(len),
        }
    }

    /// Its items among those of all.
    pub fn of<'a>(&self, items: &'a [u32]) -> &'a [u32] {
        let start = self.start as usize;
        let items = items.get(start..start.saturating_add(self.len()));
        items.unwrap_or_default()
    }

    /// How many items, 0 if there is no list.
    pub fn len(&self) -> usize {
        if self.is_absent() {
            0
        } else {
            self.len as usize
        }
    }

    /// No list at all.
    pub fn is_absent(&self) -> bool {
        self.len == ABSENT
    }
}

impl Lists {
    /// Adds rows; `present` says which of them have one of the lists.
    pub fn push(&mut self, present: Option<&[bool]>, lens: &[u32], items: &[u32]) {
        let mut rest = items;
        let mut lens = lens.iter();
        match present {
            None => lens.for_each(|len| self.add(*len, &mut rest)),
            Some(present) => {
                for has in present {
                    match has.then(|| lens.next()).flatten() {
                        Some(len) => self.add(*len, &mut rest),
                        None => self.spans.push(Span::ABSENT),
                    }
                }
            }
        }
    }

    /// Adds rows without a list.
    pub fn push_absent(&mut self, rows: usize) {
        let rows = self.spans.len().saturating_add(rows);
        self.spans.resize(rows, Span::ABSENT);
    }

    /// Gives rows that have none a list among these items.
    pub fn fill(&mut self, items: &[u32], span: impl Fn(usize) -> Option<Span>) {
        let before = as_u32(self.items.len());
        self.items.extend_from_slice(items);
        let rows = self.spans.iter_mut().enumerate();
        for (row, slot) in rows.filter(|(_, slot)| slot.is_absent()) {
            if let Some(span) = span(row) {
                let start = before.saturating_add(span.start);
                *slot = Span { start, ..span };
            }
        }
    }

    fn add(&mut self, len: u32, rest: &mut &[u32]) {
        let (list, others) = rest.split_at_checked(len as usize).unwrap_or((rest, &[]));
        *rest = others;
        let like = self.spans.last().filter(|last| !last.is_absent());
        let span = match like {
            Some(last) if last.of(&self.items) == list => *last,
            _ => {
                let span = Span::next(&self.items, list.len());
                self.items.extend_from_slice(list);
                span
            }
        };
        self.spans.push(span);
    }

    /// The lists of these rows, in this order.
    pub fn placed(&self, order: &[u32]) -> Vec<Span> {
        let span = |row: &u32| self.spans.get(*row as usize).copied();
        let spans = order.iter().map(span);
        spans.map(|span| span.unwrap_or(Span::ABSENT)).collect()
    }
}
