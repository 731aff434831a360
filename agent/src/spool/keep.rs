//! Keeping: everything that changes a spool is one transaction.

use std::cell::Cell;

use bytes::Bytes;
use protocol::{Counts, Epoch, GapReason, Header, Previous};

use super::{
    Beginning, Entry, Fault, Last, Lost, Spool, SpoolError,
    head::{self, Head},
    index::Item,
    rows::{self, Rows},
};

/// Batches that one transaction takes out besides what else it does: all that waited for hours would
/// hold up a window for too long.
pub(super) const DELETIONS: usize = 200;

/// One transaction.
#[derive(Debug, Default)]
pub(super) struct Change<'a> {
    /// Gaps in the place of batches that wait.
    pub(super) gaps: Vec<Placed>,
    /// New batches, in order.
    pub(super) new: Vec<Placed>,
    /// The agent's state.
    pub(super) state: Option<&'a [u8]>,
    /// The ledger table's id.
    pub(super) table_id: Option<&'a str>,
    /// A gap among the new ones tells that a spool was lost.
    pub(super) told: bool,
}

/// A batch and its place.
#[derive(Debug)]
pub(super) struct Placed {
    /// Of its epoch.
    pub(super) ordinal: u64,
    /// Its epoch.
    pub(super) epoch: Epoch,
    /// Its seq.
    pub(super) seq: u64,
    /// What is kept beside the frame.
    pub(super) head: Head,
    /// Its bytes.
    pub(super) frame: Bytes,
    /// Why it is a gap, if the spool made it one.
    pub(super) gap: Option<GapReason>,
}

impl Placed {
    /// A gap takes this one's place.
    pub(super) fn into_gap(self, reason: GapReason, message: &str) -> Self {
        let header = self.head.header(self.epoch, self.seq);
        let (head, frame) = head::gap(&header, reason, message, self.head.rows());
        Self {
            head,
            frame: frame.into(),
            gap: Some(reason),
            ..self
        }
    }

    fn put(&self, rows: &mut Rows<'_>) -> Result<(), redb::Error> {
        rows::put(
            rows,
            rows::head(self.ordinal, self.seq),
            &self.head.encode(),
        )?;
        rows::put(rows, rows::frame(self.ordinal, self.seq), &self.frame)
    }

    fn last(&self) -> Last {
        Last {
            ordinal: self.ordinal,
            epoch: self.epoch,
            seq: self.seq,
        }
    }
}

impl Change<'_> {
    fn write(&self, rows: &mut Rows<'_>, spool: &Before) -> Result<(), redb::Error> {
        let mut left = spool.deletions;
        for deleted in &spool.deleted {
            left = left.saturating_sub(rows::remove_batches(rows, *deleted, left)?);
        }
        spool.left.set(left);
        for gap in &self.gaps {
            gap.put(rows)?;
        }
        let mut ordinal = spool.last.map(|last| last.ordinal);
        for new in &self.new {
            if ordinal != Some(new.ordinal) {
                ordinal = Some(new.ordinal);
                rows::put(rows, rows::epoch(new.ordinal), &new.epoch.0)?;
            }
            new.put(rows)?;
        }
        if let Some(new) = self.new.last() {
            rows::put(rows, rows::LAST, &new.last().encode())?;
            // Epochs without batches go when another one begins: what is gone was seldom of many.
            rows::retain_epochs(rows, |old| {
                old == new.ordinal || spool.ordinals.contains(&old)
            })?;
        }
        if let Some(state) = self.state {
            rows::put(rows, rows::STATE, state)?;
        }
        if let Some(table_id) = self.table_id {
            rows::put(rows, rows::TABLE_ID, table_id.as_bytes())?;
        }
        if self.told {
            rows::remove(rows, rows::LOST, rows::LOST)?;
        }
        Ok(())
    }
}

/// What a transaction has to know of the spool.
struct Before {
    deleted: Vec<(u64, u64)>,
    /// Batches that it takes out at most.
    deletions: usize,
    /// How many more it would have taken out: none if some may still be there.
    left: Cell<usize>,
    last: Option<Last>,
    /// Epochs of which something is in the file.
    ordinals: Vec<u64>,
}

impl Spool {
    /// A new start of the agent. Writes nothing, but where the spool was lost: then seq 1 of the epoch is
    /// a gap that says so.
    pub fn begin(&mut self, like: &Header) -> Result<Beginning, SpoolError> {
        self.heal()?;
        let last = self.last;
        if let Some(last) = last.filter(|last| last.epoch == like.epoch) {
            let next_seq = last.seq + 1;
            return Ok(Beginning {
                next_seq,
                previous: None,
            });
        }
        let previous = last.map(|Last { epoch, seq, .. }| Previous { epoch, last: seq });
        let Some(Lost { reason, .. }) = self.lost.clone() else {
            return Ok(Beginning {
                next_seq: 1,
                previous,
            });
        };
        let header = Header {
            seq: 1,
            previous: None,
            ..like.clone()
        };
        let (head, frame) = head::gap(&header, GapReason::SpoolLost, &reason, Counts::default());
        let gap = Placed {
            ordinal: last.map_or(0, |last| last.ordinal + 1),
            epoch: header.epoch,
            seq: 1,
            head,
            frame: frame.into(),
            gap: Some(GapReason::SpoolLost),
        };
        self.change(&Change {
            new: vec![gap],
            told: true,
            ..Change::default()
        })?;
        Ok(Beginning {
            next_seq: 2,
            previous: None,
        })
    }

    /// Keeps batches and the state that follows from them in one transaction, on disk when it returns.
    /// Where it fails nothing changed, and the same can be tried again, unless the spool was lost.
    pub fn keep(&mut self, entries: &[Entry], state: Option<&[u8]>) -> Result<(), SpoolError> {
        self.heal()?;
        if let Some(Lost { aside, reason }) = self.lost.clone() {
            return Err(SpoolError::Lost { aside, reason });
        }
        let new = self.placed(entries)?;
        let change = Change {
            new,
            state,
            ..Change::default()
        };
        let change = self.make_room(change)?;
        self.change(&change)
    }

    fn placed(&self, entries: &[Entry]) -> Result<Vec<Placed>, SpoolError> {
        let mut last = self.last;
        let mut placed = Vec::with_capacity(entries.len());
        for Entry {
            header,
            rows,
            frame,
        } in entries
        {
            let (ordinal, next) = match last {
                Some(last) if last.epoch == header.epoch => (last.ordinal, last.seq + 1),
                // An epoch that is over gets no more batches.
                _ if self.index.of(header.epoch).is_some() => (0, 0),
                _ => (last.map_or(0, |last| last.ordinal + 1), 1),
            };
            if header.seq != next {
                return Err(SpoolError::Order {
                    epoch: header.epoch,
                    seq: header.seq,
                    next,
                });
            }
            let new = Placed {
                ordinal,
                epoch: header.epoch,
                seq: header.seq,
                head: Head::whole(header, rows, frame),
                frame: frame.clone(),
                gap: None,
            };
            last = Some(new.last());
            placed.push(new);
        }
        Ok(placed)
    }

    /// Id of the ledger table that was seen first; `seen` is kept if there was none.
    pub fn table_id(&mut self, seen: &str) -> Result<String, SpoolError> {
        self.heal()?;
        if self.table_id.is_none() {
            self.change(&Change {
                table_id: Some(seen),
                ..Change::default()
            })?;
        }
        Ok(self.table_id.clone().unwrap_or_else(|| seen.to_owned()))
    }

    /// One transaction. Afterwards the index is what the file is, whatever happened.
    pub(super) fn change(&mut self, change: &Change<'_>) -> Result<(), SpoolError> {
        let before = self.before(DELETIONS);
        let Some(file) = &mut self.file else {
            return Err(SpoolError::Write("it is not open".to_owned()));
        };
        let count = file.count() + 1;
        match file.change(|rows| change.write(rows, &before)) {
            Ok(()) => {
                self.changed(change);
                self.swept(&before);
                self.reserve(true);
                Ok(())
            }
            Err(Fault::Write(reason)) => {
                self.failed_writes += 1;
                self.reopen()?;
                // The error may have come after all was done.
                if self.file.as_ref().is_some_and(|file| file.count() == count) {
                    return Ok(());
                }
                self.make_room_on_disk();
                Err(SpoolError::Write(reason))
            }
            Err(Fault::Unusable(reason)) => {
                self.unusable = Some(reason);
                let Lost { aside, reason } = self.replace()?;
                Err(SpoolError::Lost { aside, reason })
            }
        }
    }

    /// On a full disk, what is deleted goes out of the file with the help of the reserve, so that the
    /// next try finds room in the file.
    fn make_room_on_disk(&mut self) {
        if self.deleted.is_empty() {
            return;
        }
        self.reserve(false);
        // Few at once, because the pages on the way to them are written anew; and the database can use
        // again what it has freed after one more transaction.
        if self.sweep(16).and_then(|()| self.take_out(1)).is_err()
            && let Err(error) = self.reopen()
        {
            log::debug!("the spool stays closed until the next try: {error}");
        }
    }

    /// Takes all that is deleted out of the file, in transactions of so many batches.
    pub(super) fn sweep(&mut self, at_once: usize) -> Result<(), Fault> {
        while self.file.is_some() && !self.deleted.is_empty() {
            self.take_out(at_once)?;
        }
        Ok(())
    }

    fn take_out(&mut self, most: usize) -> Result<(), Fault> {
        let before = self.before(most);
        if let Some(file) = &mut self.file {
            file.change(|rows| Change::default().write(rows, &before))?;
            self.swept(&before);
        }
        Ok(())
    }

    fn before(&self, deletions: usize) -> Before {
        let runs = self.index.runs().iter().map(|run| run.ordinal);
        let deleted = self.deleted.iter().map(|(ordinal, _)| *ordinal);
        Before {
            deleted: self.deleted.clone(),
            deletions,
            left: Cell::new(deletions),
            last: self.last,
            ordinals: runs.chain(deleted).collect(),
        }
    }

    fn swept(&mut self, before: &Before) {
        if before.left.get() > 0 {
            self.deleted.clear();
        }
    }

    fn changed(&mut self, change: &Change<'_>) {
        for gap in &change.gaps {
            self.index
                .replace(gap.ordinal, gap.seq, Item::from(&gap.head));
        }
        for new in &change.new {
            self.index
                .push(new.ordinal, new.epoch, new.seq, Item::from(&new.head));
            self.last = Some(new.last());
        }
        for placed in change.gaps.iter().chain(&change.new) {
            placed
                .gap
                .into_iter()
                .for_each(|reason| self.gaps.count(reason));
        }
        if let Some(table_id) = change.table_id {
            self.table_id = Some(table_id.to_owned());
        }
        if change.told {
            self.lost = None;
        }
    }
}
