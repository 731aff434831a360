//! The judge: what the tables say beside what really happened. [`Judge::look`] asks at any moment what
//! must hold at every moment; [`Judge::end`] asks at the end, when all has been sent, whether each unit
//! is in the ledger once.

mod always;
mod chain;
pub mod delta;
mod end;
mod marks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use object_store::path::Path;
use protocol::{Epoch, Table};

use self::delta::{Key, Wrong};
use super::{
    store::bucket::Bucket,
    truth::{Content, Name, Truth},
    world::World,
};

/// What was found in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that no table has, and no gap tells of.
    pub lost: u64,
    /// Rows that a table has more than once.
    pub duplicated: u64,
}

/// See the module.
pub struct Judge {
    world: Arc<World>,
    bucket: Arc<Bucket>,
    truth: Arc<Truth>,
    prefix: Path,
    tables: Vec<delta::Table>,
}

impl Judge {
    /// Of tables below a folder.
    pub fn new(
        world: &Arc<World>,
        bucket: &Arc<Bucket>,
        truth: &Arc<Truth>,
        prefix: &Path,
    ) -> Self {
        let tables = Table::ALL.iter();
        Self {
            world: Arc::clone(world),
            bucket: Arc::clone(bucket),
            truth: Arc::clone(truth),
            prefix: prefix.clone(),
            tables: tables
                .map(|table| delta::Table::new(prefix, table.name()))
                .collect(),
        }
    }

    /// What must hold at every moment.
    pub fn look(&mut self) {
        if let Err(Wrong(what)) = self.update().and_then(|()| self.always()) {
            self.world.problem(what);
        }
    }

    /// What must hold at the end.
    pub fn end(&mut self) -> Verdict {
        self.look();
        self.judge()
    }

    /// Reads what is new, before somebody cleans it away.
    pub fn follow(&mut self) {
        if let Err(Wrong(what)) = self.update() {
            self.world.problem(what);
        }
    }

    fn update(&mut self) -> Result<(), Wrong> {
        // Nobody writes meanwhile, so that any order gives one moment.
        for table in &mut self.tables {
            table.read(&self.bucket)?;
            if table.is_cut_off(&self.bucket) {
                return Err(Wrong("a log was cleaned before it was read".to_owned()));
            }
        }
        Ok(())
    }

    fn ledger(&self) -> &delta::Table {
        &self.tables[Table::Reconcile as usize]
    }

    /// Its number among the nodes, and its name.
    fn known(&self, key: &Key) -> Option<(usize, Name)> {
        let epoch: Epoch = key.epoch.parse().ok()?;
        let name = Name {
            epoch,
            seq: key.seq,
        };
        let node = (0..self.truth.nodes()).find(|node| Truth::name(*node) == key.node)?;
        Some((node, name))
    }

    /// Whether a try to keep it failed, which may have been done all the same.
    fn is_possible(&self, key: &Key) -> bool {
        let known = self.known(key);
        known.is_some_and(|(node, name)| self.truth.with(node, |node| node.may_have(&name)))
    }

    /// What was in a batch; none if there never was such a batch.
    fn content(&self, key: &Key) -> Option<Content> {
        let (node, name) = self.known(key)?;
        self.truth.with(node, |node| {
            node.kept
                .get(&name)
                .or_else(|| node.vanished.get(&name))
                .copied()
        })
    }

    /// Rows that a table must have of a batch, if it has any.
    fn expected(content: &Content, table: Table) -> u64 {
        match (table, content.is_gap) {
            (Table::Reconcile, _) => 1,
            (_, true) => 0,
            (_, false) => content.rows[table],
        }
    }
}

fn show(key: &Key) -> String {
    format!("{} {} {}", key.node, key.epoch, key.seq)
}
