//! Gaps take the place of batches that can't stay. A gap is never replaced by another one.

use protocol::{Epoch, GapReason, Timestamp};

use super::{
    Spool, SpoolError,
    head::Head,
    keep::{Change, Placed},
    rows,
};

/// Gaps that may wait: three weeks of windows of 30 s. They take some 10 MB on disk and 1 MB of memory.
const MOST: u64 = 65_536;
/// Gaps in one transaction.
const AT_ONCE: usize = 1_000;

impl Spool {
    /// A gap takes the batch's place.
    pub fn give_up(
        &mut self,
        epoch: Epoch,
        seq: u64,
        reason: GapReason,
        message: &str,
    ) -> Result<(), SpoolError> {
        self.heal()?;
        let of_epoch = self.index.of(epoch);
        let batch = of_epoch.and_then(|run| run.from(seq).next().map(|(at, item)| (run, at, item)));
        match batch {
            Some((run, at, item)) if at == seq && !item.gap => {
                let batch = [(run.ordinal, seq)];
                self.put_gaps(&batch, reason, message)
            }
            _ => Ok(()),
        }
    }

    /// Gaps take the place of batches that wait for too long.
    pub fn expire(&mut self, now: Timestamp) -> Result<(), SpoolError> {
        let age = i64::try_from(self.bounds.max_age.as_micros()).unwrap_or(i64::MAX);
        let oldest = now.plus_us(age.saturating_neg()).unix_us;
        let old: Vec<_> = self
            .index
            .iter()
            .filter(|(_, _, item)| !item.gap && item.end_us < oldest)
            .map(|(run, seq, _)| (run.ordinal, seq))
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        self.heal()?;
        let message = format!(
            "it waited for longer than {}",
            humantime::format_duration(self.bounds.max_age)
        );
        self.put_gaps(&old, GapReason::SpoolAge, &message)
    }

    /// Gaps take the place of these batches, given by ordinal and seq.
    pub(super) fn put_gaps(
        &mut self,
        batches: &[(u64, u64)],
        reason: GapReason,
        message: &str,
    ) -> Result<(), SpoolError> {
        for some in batches.chunks(AT_ONCE) {
            self.check_gaps(some.len() as u64)?;
            let mut gaps = Vec::with_capacity(some.len());
            for (ordinal, seq) in some {
                let whole = self.stored(*ordinal, *seq)?;
                gaps.extend(whole.map(|whole| whole.into_gap(reason, message)));
            }
            self.change(&Change {
                gaps,
                ..Change::default()
            })?;
        }
        Ok(())
    }

    /// Adds to a change what makes room for its new batches: the lowest ones become gaps, and if none
    /// is left, the new ones themselves.
    pub(super) fn make_room<'a>(&self, mut change: Change<'a>) -> Result<Change<'a>, SpoolError> {
        let size = |placed: &Placed| u64::from(placed.head.bytes);
        let mut bytes = self.index.bytes() + change.new.iter().map(size).sum::<u64>();
        let message = format!("the spool's {} bytes were full", self.bounds.max_bytes);
        let mut whole = self.index.iter().filter(|(_, _, item)| !item.gap);
        let mut new = 0;
        while bytes > self.bounds.max_bytes {
            let (old, gap) = if let Some((run, seq, item)) = whole.next() {
                let Some(old) = self.stored(run.ordinal, seq)? else {
                    continue;
                };
                change
                    .gaps
                    .push(old.into_gap(GapReason::SpoolFull, &message));
                (u64::from(item.bytes), change.gaps.last())
            } else if new < change.new.len() {
                let batch = change.new.remove(new);
                let old = size(&batch);
                change
                    .new
                    .insert(new, batch.into_gap(GapReason::SpoolFull, &message));
                new += 1;
                (old, change.new.get(new - 1))
            } else {
                break;
            };
            bytes = (bytes + gap.map_or(0, size)).saturating_sub(old);
        }
        self.check_gaps((change.gaps.len() + new) as u64)?;
        Ok(change)
    }

    fn check_gaps(&self, more: u64) -> Result<(), SpoolError> {
        let gaps = self.index.gaps();
        if more > 0 && gaps + more > MOST {
            return Err(SpoolError::Full { gaps });
        }
        Ok(())
    }

    /// A batch that waits. Its frame is not read: a gap doesn't need it.
    fn stored(&self, ordinal: u64, seq: u64) -> Result<Option<Placed>, SpoolError> {
        let Some(run) = self.index.runs().iter().find(|run| run.ordinal == ordinal) else {
            return Ok(None);
        };
        let file = self.readable()?;
        let head = file.read(|rows| rows::get(rows, rows::head(ordinal, seq)));
        let head = head.map_err(super::read::unread)?.unwrap_or_default();
        let head =
            Head::decode(&head).map_err(|reason| super::read::unread(file.spoilt(reason)))?;
        Ok(Some(Placed {
            ordinal,
            epoch: run.epoch,
            seq,
            head,
            frame: bytes::Bytes::new(),
            gap: None,
        }))
    }
}
