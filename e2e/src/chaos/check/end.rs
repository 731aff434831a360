//! What must hold at the end: each unit that was used is in a row, or told to be lost.

use std::collections::BTreeMap;

use protocol::Table;

use super::{Judge, Verdict, delta::Key, show};
use crate::chaos::truth::{Content, Node, Span, Truth};

impl Judge {
    pub(super) fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for table in Table::ALL {
            self.count_rows(table, &mut verdict);
        }
        for node in 0..self.truth.nodes() {
            let known = self.truth.with(node, |node| node.clone());
            let name = Truth::name(node);
            verdict.lost += self.missing(&name, &known);
            self.judge_units(node, &known, &mut verdict);
            self.chain(&name, &known);
        }
        verdict
    }

    /// Rows of one table beside what the ledger says.
    fn count_rows(&self, table: Table, verdict: &mut Verdict) {
        for (key, rows) in &self.tables[table as usize].rows {
            let expected = self
                .content(key)
                .map_or(0, |content| Self::expected(&content, table));
            verdict.duplicated += rows.count.saturating_sub(expected);
        }
        for (key, row) in &self.ledger().rows {
            if row.ledger.as_ref().is_none_or(|ledger| ledger.is_gap) {
                continue;
            }
            let content = self.content(key);
            let expected = content.map_or(0, |content| Self::expected(&content, table));
            let found = self.tables[table as usize].rows.get(key);
            verdict.lost += expected.saturating_sub(found.map_or(0, |rows| rows.count));
        }
    }

    /// Rows of batches that were kept and that the ledger does not know.
    fn missing(&self, node: &str, known: &Node) -> u64 {
        let mut lost = 0;
        for (name, content) in &known.kept {
            let key = Key {
                node: node.to_owned(),
                epoch: name.epoch.to_string(),
                seq: name.seq,
            };
            if !self.ledger().rows.contains_key(&key) {
                self.world
                    .problem(format!("{} is not in the ledger", show(&key)));
                lost += content.rows.total() + 1;
            }
        }
        lost
    }

    /// I8.
    fn judge_units(&self, node: usize, known: &Node, verdict: &mut Verdict) {
        let name = Truth::name(node);
        let keys = self.ledger().rows.keys().filter(|key| key.node == name);
        let contents: Vec<Content> = keys.filter_map(|key| self.content(key)).collect();
        let mut spans: Vec<Span> = contents.iter().map(|content| content.units).collect();
        spans.retain(|span| span.0 < span.1);
        spans.sort_unstable();
        for pair in spans.windows(2) {
            if let [first, second] = pair
                && second.0 < first.1
            {
                self.world
                    .problem(format!("I8: {name} tells {first:?} and {second:?}"));
                verdict.duplicated += 1;
            }
        }
        spans.extend(&known.excused);
        spans.sort_unstable();
        let mut told = 0;
        for span in spans {
            if span.0 > told {
                self.world
                    .problem(format!("I8: {name} tells nothing of {told} to {}", span.0));
                verdict.lost += 1;
            }
            told = told.max(span.1);
        }
        let counter = self.truth.counter(node);
        if told < counter {
            self.world.problem(format!(
                "I8: {name} tells nothing of {told} to {counter}, the end"
            ));
            verdict.lost += 1;
        }
    }

    /// The ledger's rows of a node by epoch: its first row, and its highest seq.
    pub(super) fn epochs(&self, node: &str) -> BTreeMap<&str, (&Key, u64)> {
        let mut epochs: BTreeMap<&str, (&Key, u64)> = BTreeMap::new();
        for key in self.ledger().rows.keys().filter(|key| key.node == node) {
            let first = epochs.entry(&key.epoch).or_insert((key, key.seq));
            first.1 = key.seq.max(first.1);
        }
        epochs
    }
}
