//! The tables, and the columns of each: the one definition that the wire, the files and the
//! documentation are made of.

pub(crate) mod cell;
mod ledger;
pub(crate) mod record;
pub(crate) mod sinks;

use std::sync::LazyLock;

use crate::{Event, NodeUsage, PodNetwork, PodUsage, Reconcile};
use record::{Columns, Record};

/// A table. Its number is its number on the wire, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// A workload in one window.
    PodUsage = 0,
    /// A workload's traffic of one class in one window.
    PodNetwork = 1,
    /// The node in one window.
    NodeUsage = 2,
    /// Something that happened.
    Events = 3,
    /// What the node's totals say of one window's rows, and which batches are in the ledger: the
    /// table that is committed last.
    Reconcile = 4,
}

impl Table {
    /// All, in the order in which they are committed.
    pub const ALL: [Self; 5] = [
        Self::PodUsage,
        Self::PodNetwork,
        Self::NodeUsage,
        Self::Events,
        Self::Reconcile,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PodUsage => "pod_usage",
            Self::PodNetwork => "pod_network",
            Self::NodeUsage => "node_usage",
            Self::Events => "events",
            Self::Reconcile => "reconcile",
        }
    }

    /// Its columns by id, which is their position from 1.
    pub fn columns(self) -> &'static [Column] {
        static COLUMNS: LazyLock<[Vec<Column>; 5]> = LazyLock::new(|| {
            [
                of::<PodUsage>(),
                of::<PodNetwork>(),
                of::<NodeUsage>(),
                of::<Event>(),
                of::<Reconcile>(),
            ]
        });
        &COLUMNS[self as usize]
    }
}

fn of<R: Record>() -> Vec<Column> {
    let mut columns = Columns::default();
    R::describe(&mut columns);
    if R::TABLE == Table::Reconcile {
        ledger::describe(&mut columns);
    }
    columns.list
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signed 64-bit integer.
    Long,
    /// Signed 32-bit integer.
    Int,
    /// Double.
    Double,
    /// Boolean.
    Boolean,
    /// UTF-8 text.
    Text,
    /// List of texts, none of them absent.
    Texts,
    /// Microseconds since 1970, UTC.
    Time,
    /// `timestamp` as the older systems publish it: a text in ISO 8601. On the wire as [`Kind::Time`].
    TimeText,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Number in its table, for ever.
    pub id: u32,
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// May be absent.
    pub is_nullable: bool,
    /// What it means, in one sentence.
    pub doc: &'static str,
    /// The same in every row of a batch and told by its header: not on the wire.
    pub is_of_header: bool,
    /// Told by the batch as a whole and filled in by whoever writes the table: not on the wire.
    pub is_of_ledger: bool,
}
