//! Reading batches in order to send them.

use bytes::Bytes;
use protocol::Epoch;

use super::{Fault, Spool, SpoolError, file::File, head::Head, rows};

impl Spool {
    /// What [`Spool::keep`] stored last as state.
    pub fn state(&self) -> Result<Option<Vec<u8>>, SpoolError> {
        let read = self.readable()?.read(|rows| rows::get(rows, rows::STATE));
        read.map_err(unread)
    }

    /// Batches of one epoch from `seq` on, until `bytes` are reached; at least one if it waits.
    pub fn read(
        &self,
        epoch: Epoch,
        seq: u64,
        bytes: usize,
    ) -> Result<Vec<(u64, Bytes)>, SpoolError> {
        let Some(run) = self.index.of(epoch) else {
            return Ok(Vec::new());
        };
        let file = self.readable()?;
        let read = file.read(|rows| {
            let mut batches = Vec::new();
            let mut left = bytes as u64;
            for (seq, item) in run.from(seq) {
                if !batches.is_empty() && u64::from(item.bytes) > left {
                    break;
                }
                left = left.saturating_sub(u64::from(item.bytes));
                let head = rows::get(rows, rows::head(run.ordinal, seq))?;
                let frame = rows::get(rows, rows::frame(run.ordinal, seq))?;
                batches.push((seq, head.unwrap_or_default(), frame.unwrap_or_default()));
            }
            Ok(batches)
        });
        let mut checked = Vec::new();
        for (seq, head, frame) in read.map_err(unread)? {
            if !Head::decode(&head).is_ok_and(|head| head.fits(&frame)) {
                let reason = format!("batch {seq} of epoch {epoch} is not what was kept");
                return Err(unread(file.spoilt(reason)));
            }
            checked.push((seq, Bytes::from(frame)));
        }
        Ok(checked)
    }

    pub(super) fn readable(&self) -> Result<&File, SpoolError> {
        let file = self.file.as_ref();
        file.ok_or_else(|| SpoolError::Read("it is not open since a write failed".to_owned()))
    }
}

/// The next change finds the fault, and puts aside what is unusable.
pub(super) fn unread(fault: Fault) -> SpoolError {
    match fault {
        Fault::Write(reason) | Fault::Unusable(reason) => SpoolError::Read(reason),
    }
}
