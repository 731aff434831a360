//! What was found, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::finding::Findings;

/// Gaps of one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// How many batches.
    pub batches: u64,
    /// Rows that went with them.
    pub rows_lost: u64,
    /// Rows of those batches that are in the tables all the same: an earlier copy had got in.
    pub rows_present: u64,
}

/// Batches that a commit has not finished yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InProgress {
    /// Batches with rows in some table and none in the ledger.
    pub batches: u64,
    /// Their rows.
    pub rows: u64,
    /// Epochs whose predecessor's last batches have not come yet.
    pub epochs: u64,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of each table's log that was read.
    pub versions: BTreeMap<&'static str, u64>,
    /// Nodes.
    pub nodes: u64,
    /// Starts of agents.
    pub epochs: u64,
    /// Batches in the ledger, gaps too.
    pub batches: u64,
    /// Of them those that collectors pushed, each at most once: what was lost of them is not told.
    pub pushes: u64,
    /// Rows by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Rows without node, epoch or seq, about which nothing is promised.
    pub rows_outside: u64,
    /// What was lost and told, by reason.
    pub gaps: BTreeMap<&'static str, Gaps>,
    /// Not judged yet.
    pub in_progress: InProgress,
    /// Windows whose balance could be judged.
    pub balanced_windows: u64,
    /// Epochs that follow nothing although the node is known: it booted anew with an empty spool.
    pub new_boots: u64,
    /// What is wrong.
    pub findings: Findings,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_proved(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds what was found of other nodes.
    pub fn merge(&mut self, other: Self) {
        self.versions.extend(other.versions);
        self.nodes += other.nodes;
        self.epochs += other.epochs;
        self.batches += other.batches;
        self.pushes += other.pushes;
        for (table, rows) in other.rows {
            *self.rows.entry(table).or_default() += rows;
        }
        self.rows_outside += other.rows_outside;
        for (reason, gaps) in other.gaps {
            let sum = self.gaps.entry(reason).or_default();
            sum.batches += gaps.batches;
            sum.rows_lost += gaps.rows_lost;
            sum.rows_present += gaps.rows_present;
        }
        self.in_progress.batches += other.in_progress.batches;
        self.in_progress.rows += other.in_progress.rows;
        self.in_progress.epochs += other.in_progress.epochs;
        self.balanced_windows += other.balanced_windows;
        self.new_boots += other.new_boots;
        self.findings.merge(other.findings);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables(out)?;
        self.notes(out)?;
        for (wrong, kind) in &self.findings.0 {
            writeln!(out, "WRONG  {} {}", kind.count, wrong.meaning())?;
            for finding in &kind.shown {
                writeln!(out, "       {finding}")?;
            }
            let more = kind.count.saturating_sub(kind.shown.len() as u64);
            if more > 0 {
                writeln!(out, "       and {more} more")?;
            }
        }
        match self.is_proved() {
            true => write!(out, "proved: nothing lost without a gap row, nothing twice"),
            false => write!(out, "refuted"),
        }
    }
}

impl Report {
    fn tables(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, rows) in &self.rows {
            write!(out, "{table:<12} {rows:>12} rows")?;
            match self.versions.get(table) {
                Some(version) => writeln!(out, "  at version {version}")?,
                None => writeln!(out)?,
            }
        }
        writeln!(
            out,
            "{} batches of {} nodes in {} epochs; {} windows balanced",
            self.batches, self.nodes, self.epochs, self.balanced_windows
        )
    }

    fn notes(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, gaps) in &self.gaps {
            writeln!(
                out,
                "gap    {reason}: {} batches with {} rows, of which {} are there all the same",
                gaps.batches, gaps.rows_lost, gaps.rows_present
            )?;
        }
        let InProgress {
            batches,
            rows,
            epochs,
        } = self.in_progress;
        if batches + epochs > 0 {
            writeln!(
                out,
                "note   in progress: {batches} batches with {rows} rows, {epochs} epochs"
            )?;
        }
        if self.new_boots > 0 {
            writeln!(
                out,
                "note   {} epochs of known nodes began after a boot with an empty spool",
                self.new_boots
            )?;
        }
        if self.pushes > 0 {
            writeln!(
                out,
                "note   {} batches were pushed by collectors: at most once, their losses are not told",
                self.pushes
            )?;
        }
        if self.rows_outside > 0 {
            writeln!(
                out,
                "note   {} rows came without epoch and seq: nothing is promised of them",
                self.rows_outside
            )?;
        }
        Ok(())
    }
}
