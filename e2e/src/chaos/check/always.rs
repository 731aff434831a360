//! What must hold at every moment.

use std::collections::BTreeMap;

use protocol::Table;

use super::{
    Judge,
    delta::{self, Key, Wrong},
    marks::{self, Marks},
    show,
};
use crate::chaos::truth::{Truth, size};

impl Judge {
    pub(super) fn always(&self) -> Result<(), Wrong> {
        for table in Table::ALL {
            self.batches_are_whole(table);
            self.files_are_there(table);
            self.watermark_covers(table)?;
        }
        self.ledger_has_no_hole();
        self.whole_is_whole();
        self.deleted_is_committed();
        Ok(())
    }

    fn problem(&self, what: String) {
        self.world.problem(what);
    }

    /// I1, and that the rows are those that were sent.
    fn batches_are_whole(&self, table: Table) {
        let name = table.name();
        for (key, rows) in &self.tables[table as usize].rows {
            let Some(content) = self.content(key) else {
                // What an agent tried to keep may be kept, and sent, before it knows.
                if self.is_possible(key) {
                    continue;
                }
                self.problem(format!("{name} has {}, which never was", show(key)));
                continue;
            };
            let expected = Self::expected(&content, table);
            if rows.count != expected {
                let (count, key) = (rows.count, show(key));
                self.problem(format!(
                    "I1: {name} has {count} rows of {key}, not {expected}"
                ));
            }
            let is_gap = rows.ledger.as_ref().is_some_and(|ledger| ledger.is_gap);
            let units = i64::try_from(size(content.units)).unwrap_or(i64::MAX);
            if table != Table::Events && !is_gap && rows.units != units {
                let (told, key) = (rows.units, show(key));
                self.problem(format!("{name} tells {told} units for {key}, not {units}"));
            }
        }
    }

    /// I6.
    fn files_are_there(&self, table: Table) {
        for file in self.tables[table as usize].missing(&self.bucket) {
            self.problem(format!("I6: {file} of {} is gone", table.name()));
        }
    }

    /// I4.
    fn watermark_covers(&self, table: Table) -> Result<(), Wrong> {
        let found = &self.tables[table as usize];
        let folder = self.prefix.clone().join(table.name());
        let marks = marks::read(&self.bucket, &folder, found.watermark)?;
        let highest = highest(found);
        for (sender, seq) in &highest {
            let mark = marks.get(sender).copied().unwrap_or_default();
            if mark < *seq {
                let name = table.name();
                self.problem(format!(
                    "I4: {name} has {sender:?} {seq}, its watermark {mark}"
                ));
            }
        }
        if table == Table::Reconcile && marks != highest {
            self.problem(format!(
                "I4: the ledger's watermark is {marks:?}, not {highest:?}"
            ));
        }
        Ok(())
    }

    /// I3.
    fn ledger_has_no_hole(&self) {
        let mut before: Option<&Key> = None;
        for key in self.ledger().rows.keys() {
            let same = before.filter(|last| last.node == key.node && last.epoch == key.epoch);
            let next = same.map_or(1, |last| last.seq + 1);
            if key.seq != next {
                self.problem(format!("I3: {} is in the ledger, {next} is not", show(key)));
            }
            before = Some(key);
        }
    }

    /// I5.
    fn whole_is_whole(&self) {
        for (key, row) in &self.ledger().rows {
            let Some(ledger) = row.ledger.as_ref().filter(|ledger| !ledger.is_gap) else {
                continue;
            };
            for (table, said) in Table::ALL.into_iter().zip(ledger.rows) {
                let found = self.tables[table as usize].rows.get(key);
                let count = found.map_or(0, |rows| rows.count);
                if count != said {
                    let (name, key) = (table.name(), show(key));
                    self.problem(format!(
                        "I5: {name} has {count} rows of {key}, the ledger says {said}"
                    ));
                }
            }
        }
    }

    /// I2.
    fn deleted_is_committed(&self) {
        let highest = highest(self.ledger());
        for node in 0..self.truth.nodes() {
            let deleted = self.truth.with(node, |node| node.deleted.clone());
            for (epoch, seq) in deleted {
                let sender = (Truth::name(node), epoch.to_string());
                let has = highest.get(&sender).copied().unwrap_or_default();
                if has < seq {
                    self.problem(format!(
                        "I2: {sender:?} deleted {seq}, the ledger has {has}"
                    ));
                }
            }
        }
    }
}

fn highest(table: &delta::Table) -> Marks {
    let mut highest = BTreeMap::new();
    for key in table.rows.keys() {
        // Ascending by seq.
        highest.insert((key.node.clone(), key.epoch.clone()), key.seq);
    }
    highest
}
