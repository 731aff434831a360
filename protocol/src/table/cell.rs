//! How a field of a row becomes values of columns.

use super::{Kind, record::Columns, sinks::Sinks};
use crate::{Balance, Closing, EventKind, NetworkClass, Origin, Timestamp};

/// A field's name, and those of the columns it has if it is a [`Balance`].
pub(crate) struct Named {
    /// Its own.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) doc: &'static str,
    /// Name and meaning of each part of a balance.
    pub(crate) balance: [(&'static str, &'static str); 4],
}

/// A field's type.
pub(crate) trait Cell {
    /// Adds its columns.
    fn describe(named: &Named, columns: &mut Columns);
    /// Puts one value into each of them.
    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>);
}

/// A type with one column that always has a value.
trait Value {
    const KIND: Kind;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>);
}

impl<V: Value> Cell for V {
    fn describe(named: &Named, columns: &mut Columns) {
        columns.push(named.name, named.doc, V::KIND);
    }

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        Value::put(self, sinks);
    }
}

impl<V: Value> Cell for Option<V> {
    fn describe(named: &Named, columns: &mut Columns) {
        columns.push(named.name, named.doc, V::KIND);
        columns.last_is_nullable();
    }

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        match self {
            Some(value) => Value::put(value, sinks),
            None => sinks.absent(),
        }
    }
}

impl Value for i64 {
    const KIND: Kind = Kind::Long;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.long(*self);
    }
}

impl Value for u64 {
    const KIND: Kind = Kind::Long;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.long(i64::try_from(*self).unwrap_or(i64::MAX));
    }
}

impl Value for i32 {
    const KIND: Kind = Kind::Int;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.long(i64::from(*self));
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Boolean;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.long(i64::from(*self));
    }
}

impl Value for f64 {
    const KIND: Kind = Kind::Double;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.double(*self);
    }
}

impl Value for Timestamp {
    const KIND: Kind = Kind::Time;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.time(*self);
    }
}

impl Value for String {
    const KIND: Kind = Kind::Text;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.text(self);
    }
}

impl Value for Vec<String> {
    const KIND: Kind = Kind::Texts;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.texts(self);
    }
}

impl Value for NetworkClass {
    const KIND: Kind = Kind::Text;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.text(self.name());
    }
}

impl Value for Closing {
    const KIND: Kind = Kind::Text;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.text(self.name());
    }
}

impl Value for EventKind {
    const KIND: Kind = Kind::Text;

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        sinks.text(self.name());
    }
}

/// Four columns: a table of columns has no room for a struct.
impl Cell for Balance {
    fn describe(named: &Named, columns: &mut Columns) {
        for (name, doc) in named.balance {
            columns.push(name, doc, Kind::Long);
        }
    }

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        for part in [self.total, self.rows, self.unattributed, self.in_flight] {
            sinks.long(part);
        }
    }
}

/// The header's; the same in every row of a batch.
impl Cell for Origin {
    fn describe(_: &Named, columns: &mut Columns) {
        for (name, doc, kind) in [
            ("cluster_id", "Cluster.", Kind::Text),
            ("node_name", "Node.", Kind::Text),
            (
                "boot_id",
                "Boot of the kernel whose counters these are.",
                Kind::Text,
            ),
            ("epoch", "Drawn at every start of the agent.", Kind::Text),
            (
                "seq",
                "Number of the window in this epoch, from 1.",
                Kind::Long,
            ),
        ] {
            columns.push(name, doc, kind);
            columns.last_is_of_header();
        }
    }

    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>) {
        (0..5).for_each(|_| sinks.skip());
    }
}
