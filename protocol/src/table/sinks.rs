//! Rows while they are turned into columns.

use std::collections::HashMap;

use crate::Timestamp;

/// One column so far. Texts and lists are numbers in [`Interned`], booleans 0 and 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sink {
    /// Whether each row has a value.
    pub(crate) present: Vec<bool>,
    /// Values that are no doubles.
    pub(crate) longs: Vec<i64>,
    /// Values that are.
    pub(crate) doubles: Vec<f64>,
}

/// Every text and every list of a batch once, numbered in the order in which they first came.
#[derive(Debug, Default)]
pub(crate) struct Interned<'r> {
    numbers: HashMap<&'r str, i64>,
    lists: HashMap<&'r [String], i64>,
    /// The texts.
    pub(crate) texts: Vec<&'r str>,
    /// Numbers of each list's texts.
    pub(crate) items: Vec<Vec<i64>>,
}

impl<'r> Interned<'r> {
    fn text(&mut self, text: &'r str) -> i64 {
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            count(self.texts.len() - 1)
        })
    }

    fn is_text(&self, number: i64, text: &str) -> bool {
        let own = usize::try_from(number).ok();
        own.and_then(|own| self.texts.get(own))
            .is_some_and(|own| *own == text)
    }

    fn is_list(&self, number: i64, list: &[String]) -> bool {
        let own = usize::try_from(number).ok();
        own.and_then(|own| self.items.get(own)).is_some_and(|own| {
            let mut pairs = own.iter().zip(list);
            own.len() == list.len() && pairs.all(|(item, text)| self.is_text(*item, text))
        })
    }

    fn list(&mut self, list: &'r [String]) -> i64 {
        if let Some(number) = self.lists.get(list) {
            return *number;
        }
        let items = list.iter().map(|text| self.text(text)).collect();
        let number = count(self.items.len());
        self.items.push(items);
        self.lists.insert(list, number);
        number
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The sinks of a table, of which each value goes into the next one.
pub(crate) struct Sinks<'a, 'r> {
    columns: std::slice::IterMut<'a, Sink>,
    interned: &'a mut Interned<'r>,
}

impl<'a, 'r> Sinks<'a, 'r> {
    /// For one row.
    pub(crate) fn new(columns: &'a mut [Sink], interned: &'a mut Interned<'r>) -> Self {
        Self {
            columns: columns.iter_mut(),
            interned,
        }
    }

    /// A column that the header tells.
    pub(crate) fn skip(&mut self) {
        self.columns.next();
    }

    /// No value in this row.
    pub(crate) fn absent(&mut self) {
        if let Some(sink) = self.columns.next() {
            sink.present.push(false);
        }
    }

    /// A number, or a boolean as 0 or 1.
    pub(crate) fn long(&mut self, value: i64) {
        self.number(|_, _| value);
    }

    /// What becomes of the texts so far and the number that the column has in the row before.
    fn number(&mut self, number: impl FnOnce(&mut Interned<'r>, Option<i64>) -> i64) {
        if let Some(sink) = self.columns.next() {
            let number = number(self.interned, sink.longs.last().copied());
            sink.present.push(true);
            sink.longs.push(number);
        }
    }

    /// A point in time.
    pub(crate) fn time(&mut self, value: Timestamp) {
        self.long(value.unix_us);
    }

    /// A double.
    pub(crate) fn double(&mut self, value: f64) {
        if let Some(sink) = self.columns.next() {
            sink.present.push(true);
            sink.doubles.push(value);
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, value: &'r str) {
        // The same as in the row before, most often, which is sooner seen than found.
        self.number(|interned, last| match last {
            Some(last) if interned.is_text(last, value) => last,
            _ => interned.text(value),
        });
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, value: &'r [String]) {
        self.number(|interned, last| match last {
            Some(last) if interned.is_list(last, value) => last,
            _ => interned.list(value),
        });
    }
}
