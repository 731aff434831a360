//! The macro that makes a row's struct and its table's columns from one definition, so that neither
//! can have what the other lacks.

use super::{
    Column, Kind, Table,
    cell::{Cell, Named},
    sinks::Sinks,
};

/// A row of one table.
pub(crate) trait Record {
    /// Its table.
    const TABLE: Table;

    /// Its columns in their order.
    fn describe(columns: &mut Columns);

    /// Puts its values into as many sinks as it has columns.
    fn put<'r>(&'r self, sinks: &mut Sinks<'_, 'r>);
}

/// What a field says of itself besides its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    Plain,
    /// Told by the batch's header.
    Header,
    /// A time whose column is a text.
    TimeText,
    /// Absent in the row of a gap, though every whole batch has it.
    NotInGap,
}

/// Columns of a table while they are listed.
#[derive(Default)]
pub(crate) struct Columns {
    /// So far.
    pub(crate) list: Vec<Column>,
}

impl Columns {
    /// Adds the next column.
    pub(crate) fn push(&mut self, name: &'static str, doc: &'static str, kind: Kind) {
        self.list.push(Column {
            id: u32::try_from(self.list.len()).map_or(u32::MAX, |before| before + 1),
            name,
            kind,
            is_nullable: false,
            doc: doc.trim_ascii(),
            is_of_header: false,
            is_of_ledger: false,
        });
    }

    /// The column that was added last may be absent.
    pub(crate) fn last_is_nullable(&mut self) {
        if let Some(column) = self.list.last_mut() {
            column.is_nullable = true;
        }
    }

    /// The column that was added last is told by the batch's header.
    pub(crate) fn last_is_of_header(&mut self) {
        if let Some(column) = self.list.last_mut() {
            column.is_of_header = true;
        }
    }

    /// The column that was added last is told by the batch as a whole.
    pub(crate) fn last_is_of_ledger(&mut self) {
        if let Some(column) = self.list.last_mut() {
            column.is_nullable = true;
            column.is_of_ledger = true;
        }
    }

    /// Adds the columns of one field, which say of themselves what its mark says.
    pub(crate) fn field<C: Cell>(&mut self, named: &Named, mark: Mark) {
        let before = self.list.len();
        C::describe(named, self);
        for column in &mut self.list[before..] {
            match mark {
                Mark::Plain => {}
                Mark::Header => column.is_of_header = true,
                Mark::TimeText => column.kind = Kind::TimeText,
                Mark::NotInGap => column.is_nullable = true,
            }
        }
    }
}

/// Defines a row: its struct as it is written, and its [`Record`]. A field may begin with one of
/// `#[column(header)]`, `#[column(time_text)]` and `#[column(not_in_gap)]`; see [`Mark`].
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident in $table:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[column($mark:ident)])?
                $(#[serde($serde:ident)])?
                pub $field:ident: $type:ty,
            )+
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde($serde)])?
                pub $field: $type,
            )+
        }

        impl $crate::table::record::Record for $name {
            const TABLE: $crate::Table = $crate::Table::$table;

            fn describe(columns: &mut $crate::table::record::Columns) {
                $(
                    let named = $crate::table::cell::Named {
                        name: stringify!($field),
                        doc: concat!($($doc),+),
                        balance: [
                            (
                                concat!(stringify!($field), "_total"),
                                concat!($($doc),+, " What the hook counted in all."),
                            ),
                            (
                                concat!(stringify!($field), "_rows"),
                                concat!($($doc),+, " The sum of the rows."),
                            ),
                            (
                                concat!(stringify!($field), "_unattributed"),
                                concat!($($doc),+, " What no row could take."),
                            ),
                            (
                                concat!(stringify!($field), "_in_flight"),
                                concat!($($doc),+, " Counted, but in no row up to the end of this window."),
                            ),
                        ],
                    };
                    columns.field::<$type>(&named, $crate::table::record::mark!($($mark)?));
                )+
            }

            fn put<'r>(&'r self, sinks: &mut $crate::table::sinks::Sinks<'_, 'r>) {
                $(
                    match $crate::table::record::mark!($($mark)?) {
                        $crate::table::record::Mark::Header => sinks.skip(),
                        _ => $crate::table::cell::Cell::put(&self.$field, sinks),
                    }
                )+
            }
        }
    };
}

/// The mark that a field's attribute names.
macro_rules! mark {
    () => {
        $crate::table::record::Mark::Plain
    };
    (header) => {
        $crate::table::record::Mark::Header
    };
    (time_text) => {
        $crate::table::record::Mark::TimeText
    };
    (not_in_gap) => {
        $crate::table::record::Mark::NotInGap
    };
}

pub(crate) use {mark, record};
