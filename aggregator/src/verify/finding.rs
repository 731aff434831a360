//! What can be wrong with the tables, and how it is told.

use std::collections::BTreeMap;
use std::fmt;

use protocol::Epoch;
use serde::Serialize;

/// Findings of one kind that are kept to be shown; all are counted.
pub const SHOWN: usize = 20;

/// A kind of wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// A batch has more than one row in the ledger.
    LedgerTwice,
    /// A seq below the highest of its epoch has no row in the ledger.
    LedgerHole,
    /// A table has fewer rows of a whole batch than the ledger says.
    RowsMissing,
    /// A table has more rows of a batch than the ledger says.
    RowsTwice,
    /// Rows that no row of the ledger speaks of, older than a commit can take.
    RowsWithoutLedger,
    /// The epoch before has fewer batches than the next one says.
    SpoolShort,
    /// The epoch before has more batches than the next one says, or two epochs follow the same one.
    SpoolWentBack,
    /// A spool was lost, and no gap row says so.
    SpoolUntold,
    /// A window's total is not what its parts make.
    Unbalanced,
    /// The rows found don't add up to what the ledger says of their sum.
    SumsDiffer,
}

impl Wrong {
    /// In words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::LedgerTwice => "batches with more than one row in the ledger",
            Self::LedgerHole => "seqs without a row in the ledger: lost, and no gap row says so",
            Self::RowsMissing => "batches with fewer rows in a table than the ledger says: lost",
            Self::RowsTwice => "batches with more rows in a table than the ledger says: twice",
            Self::RowsWithoutLedger => "batches with rows, long ago, but none in the ledger",
            Self::SpoolShort => "epochs that end early: their rest is still in a spool, or lost",
            Self::SpoolWentBack => "spools that went back in time: usage counted twice",
            Self::SpoolUntold => "spools that were lost without a gap row",
            Self::Unbalanced => {
                "windows whose total is not rows + unattributed + change of in flight"
            }
            Self::SumsDiffer => "windows whose rows don't add up to what the ledger says",
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Node.
    pub node: Box<str>,
    /// Start of the agent.
    pub epoch: Epoch,
    /// Number in the epoch, the first of several.
    pub seq: u64,
    /// What was found, and what should be.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            epoch,
            seq,
            detail,
        } = self;
        write!(out, "node {node} epoch {epoch} seq {seq}: {detail}")
    }
}

/// Those of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub shown: Vec<Finding>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Findings(pub BTreeMap<Wrong, Kind>);

impl Findings {
    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, wrong: Wrong, finding: impl FnOnce() -> Finding) {
        let kind = self.0.entry(wrong).or_default();
        kind.count += 1;
        if kind.shown.len() < SHOWN {
            kind.shown.push(finding());
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (wrong, found) in other.0 {
            let kind = self.0.entry(wrong).or_default();
            kind.count += found.count;
            let room = SHOWN.saturating_sub(kind.shown.len());
            kind.shown.extend(found.shown.into_iter().take(room));
        }
    }
}
