//! What the tables say, counted: one small record for each batch, however many rows it has. The
//! ledger's rows and the rows of the other tables may be added in any order.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use protocol::{Epoch, GapReason, Previous, Table, Timestamp};

use crate::push;

/// Tables other than the ledger.
pub const DATA_TABLES: [Table; 4] = [
    Table::PodUsage,
    Table::PodNetwork,
    Table::NodeUsage,
    Table::Events,
];

/// Names of the conserved figures, in the order of [`Figures`].
pub const FIGURES: [&str; 5] = [
    "cpu_ns",
    "net_tx_bytes",
    "net_tx_packets",
    "net_rx_bytes",
    "net_rx_packets",
];

/// One value for each of [`FIGURES`].
pub type Figures = [i64; FIGURES.len()];

/// One value for each of [`DATA_TABLES`].
pub type ByTable = [u64; DATA_TABLES.len()];

/// What the ledger says of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Its rows are in the tables.
    Whole {
        /// How many in each.
        rows: ByTable,
        /// Its balances; absent in a ledger that has none.
        balance: Option<Balances>,
    },
    /// It has none.
    Gap {
        /// Why; `None` if this build does not know the reason.
        reason: Option<GapReason>,
        /// How many there were.
        lost: ByTable,
    },
}

/// The four columns of each figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// What the hook counted in all.
    pub total: Figures,
    /// The sum of the rows.
    pub rows: Figures,
    /// What no row could take.
    pub unattributed: Figures,
    /// Counted, but in no row yet.
    pub in_flight: Figures,
}

/// A row of the ledger.
#[derive(Clone, Debug)]
pub struct LedgerRow<'a> {
    /// Node.
    pub node: &'a str,
    /// Start of the agent.
    pub epoch: Epoch,
    /// Number in the epoch.
    pub seq: u64,
    /// Boot of the kernel.
    pub boot_id: &'a str,
    /// End of the window.
    pub window_end: Timestamp,
    /// Only with seq 1.
    pub previous: Option<Previous>,
    /// What it says.
    pub entry: Entry,
}

/// Rows of one batch in one other table.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Node.
    pub node: &'a str,
    /// Start of the agent.
    pub epoch: Epoch,
    /// Number in the epoch.
    pub seq: u64,
    /// Index in [`DATA_TABLES`].
    pub table: usize,
    /// How many.
    pub rows: u32,
    /// When they were written or, if later, the end of their window.
    pub seen: Timestamp,
    /// Their part in the sums that the ledger tells.
    pub sums: Figures,
}

/// How a batch stands in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not at all.
    #[default]
    Absent,
    Whole,
    Gap(Option<GapReason>),
}

/// What is known of one batch. Large tables have millions: counts, no rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) standing: Standing,
    pub(super) has_balance: bool,
    /// Rows of the ledger beyond the first.
    pub(super) again: u32,
    /// Rows of its day are taken out of a table for their age.
    pub(super) expired: [bool; DATA_TABLES.len()],
    /// What the ledger says: rows, or rows lost.
    pub(super) told: [u32; DATA_TABLES.len()],
    pub(super) found: [u32; DATA_TABLES.len()],
    /// Of the ledger's row or, while there is none, of the newest row elsewhere.
    pub(super) seen: Timestamp,
    /// Total - rows - unattributed - in flight.
    pub(super) residual: Figures,
    pub(super) in_flight: Figures,
    /// The sums that the ledger tells, less the rows that were found.
    pub(super) sums_left: Figures,
}

impl Batch {
    pub(super) fn is_in_ledger(&self) -> bool {
        self.standing != Standing::Absent
    }

    pub(super) fn rows_found(&self) -> u64 {
        self.found.iter().map(|rows| u64::from(*rows)).sum()
    }
}

/// One start of an agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    pub(super) boot_id: Box<str>,
    pub(super) previous: Option<Previous>,
    pub(super) batches: BTreeMap<u64, Box<Batch>>,
}

impl Start {
    /// It is no agent's: an aggregator made its batches of what collectors pushed to it.
    pub(super) fn is_pushed(&self) -> bool {
        *self.boot_id == *push::BOOT_ID
    }

    /// The batches that the ledger has.
    pub(super) fn ledger(&self) -> impl DoubleEndedIterator<Item = (u64, &Batch)> {
        let all = self.batches.iter().map(|(seq, batch)| (*seq, &**batch));
        all.filter(|(_, batch)| batch.is_in_ledger())
    }

    /// The highest seq that the ledger has, 0 for none.
    pub(super) fn last(&self) -> u64 {
        self.ledger().next_back().map_or(0, |(seq, _)| seq)
    }
}

/// A share of all nodes. Whoever has more batches than memory goes through the tables several times.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Which, from 0.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    /// Every node.
    pub const ALL: Self = Self { number: 0, of: 1 };

    fn has(self, node: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        node.hash(&mut hasher);
        self.of <= 1 || hasher.finish() % self.of == self.number
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Case {
    share: Share,
    pub(super) nodes: BTreeMap<Box<str>, BTreeMap<Epoch, Start>>,
    /// Rows without node, epoch or seq: they came by a way that promises nothing.
    pub(super) outside: u64,
    /// From when on each table has its rows, if it does not have those of all times.
    kept_from: [Timestamp; DATA_TABLES.len()],
}

impl Case {
    /// Takes in the nodes of one share.
    pub fn new(share: Share) -> Self {
        Self {
            share,
            nodes: BTreeMap::new(),
            outside: 0,
            kept_from: [Timestamp { unix_us: i64::MIN }; DATA_TABLES.len()],
        }
    }

    /// From when on a table has its rows.
    pub fn kept_from(&mut self, table: usize, from: Timestamp) {
        if let Some(kept) = self.kept_from.get_mut(table) {
            *kept = from;
        }
    }

    /// Takes a row of the ledger.
    pub fn ledger(&mut self, row: &LedgerRow<'_>) {
        let expired = self.kept_from.map(|from| row.window_end < from);
        let Some(start) = self.start(row.node, row.epoch) else {
            return;
        };
        if start.boot_id.is_empty() {
            start.boot_id = row.boot_id.into();
        }
        start.previous = start.previous.or(row.previous);
        let batch = start.batches.entry(row.seq).or_default();
        if batch.is_in_ledger() {
            batch.again = batch.again.saturating_add(1);
            return;
        }
        batch.seen = row.window_end;
        batch.expired = expired;
        match &row.entry {
            Entry::Gap { reason, lost } => {
                batch.standing = Standing::Gap(*reason);
                batch.told = narrow(lost);
            }
            Entry::Whole { rows, balance } => {
                batch.standing = Standing::Whole;
                batch.told = narrow(rows);
                if let Some(balance) = balance {
                    batch.balance(balance);
                }
            }
        }
    }

    /// Takes rows of another table.
    pub fn rows(&mut self, counted: &Counted<'_>) {
        let Some(start) = self.start(counted.node, counted.epoch) else {
            return;
        };
        let batch = start.batches.entry(counted.seq).or_default();
        if let Some(found) = batch.found.get_mut(counted.table) {
            *found = found.saturating_add(counted.rows);
        }
        if !batch.is_in_ledger() {
            batch.seen = batch.seen.max(counted.seen);
        }
        for (left, sum) in batch.sums_left.iter_mut().zip(counted.sums) {
            *left = left.wrapping_sub(sum);
        }
    }

    /// Takes rows that belong to no batch.
    pub fn outside(&mut self, rows: u64) {
        // Every share sees them; one counts them.
        if self.share.number == 0 {
            self.outside += rows;
        }
    }

    fn start(&mut self, node: &str, epoch: Epoch) -> Option<&mut Start> {
        if !self.share.has(node) {
            return None;
        }
        if !self.nodes.contains_key(node) {
            self.nodes.insert(node.into(), BTreeMap::new());
        }
        Some(self.nodes.get_mut(node)?.entry(epoch).or_default())
    }
}

impl Batch {
    fn balance(&mut self, told: &Balances) {
        self.has_balance = true;
        self.in_flight = told.in_flight;
        for i in 0..FIGURES.len() {
            self.sums_left[i] = self.sums_left[i].wrapping_add(told.rows[i]);
            self.residual[i] = told.total[i]
                .wrapping_sub(told.rows[i])
                .wrapping_sub(told.unattributed[i])
                .wrapping_sub(told.in_flight[i]);
        }
    }
}

fn narrow(counts: &ByTable) -> [u32; DATA_TABLES.len()] {
    counts.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}
