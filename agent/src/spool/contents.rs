//! Reads at the start what a spool holds, and whether all of it is what was kept.

use std::time::{Duration, Instant};

use protocol::Epoch;

use super::{
    faults::Fault,
    file::File,
    head::Head,
    index::{Index, Item},
    rows::{self, ReadRows},
};

/// Time for which frames are checked at the start; later ones are checked when they are read.
const CHECK: Duration = Duration::from_secs(1);

/// The batch that was drawn last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    /// Of its epoch.
    pub(super) ordinal: u64,
    /// Its epoch.
    pub(super) epoch: Epoch,
    /// Its seq.
    pub(super) seq: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Transactions so far.
    pub(super) count: u64,
    /// The batch that was drawn last.
    pub(super) last: Option<Last>,
    /// Why an earlier spool was lost, while no gap tells it.
    pub(super) lost: Option<String>,
    /// Id of the ledger table.
    pub(super) table_id: Option<String>,
    /// What waits.
    pub(super) index: Index,
    /// Batches whose frame is not theirs, as ordinal and seq.
    pub(super) spoilt: Vec<(u64, u64)>,
}

impl Last {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Epoch(epoch) = self.epoch;
        [
            &self.ordinal.to_le_bytes()[..],
            &epoch,
            &self.seq.to_le_bytes(),
        ]
        .concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (ordinal, rest) = bytes.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        Some(Self {
            ordinal: u64::from_le_bytes(*ordinal),
            epoch: Epoch(*epoch),
            seq: u64::from_le_bytes(rest.try_into().ok()?),
        })
    }
}

/// Reads all; what makes no sense spoils the file.
pub(super) fn load(file: &mut File) -> Result<Contents, Fault> {
    let read = file.read(|rows| {
        let mut contents = Contents::default();
        Ok(match contents.fill(rows)? {
            Ok(()) => Ok(contents),
            Err(reason) => Err(reason),
        })
    })?;
    let contents = read.map_err(|reason| file.spoilt(reason))?;
    file.set_count(contents.count);
    Ok(contents)
}

impl Contents {
    fn fill(&mut self, rows: &ReadRows) -> Result<Result<(), String>, redb::Error> {
        let count = rows::get(rows, rows::COUNT)?;
        let last = rows::get(rows, rows::LAST)?;
        let lost = rows::get(rows, rows::LOST)?;
        self.lost = lost.map(|bytes| text(&bytes));
        self.table_id = rows::get(rows, rows::TABLE_ID)?.map(|bytes| text(&bytes));
        let Some(count) = count.and_then(|count| Some(u64::from_le_bytes(count.try_into().ok()?)))
        else {
            return Ok(Err("it has no count of its transactions".to_owned()));
        };
        self.count = count;
        if let Some(last) = last {
            self.last = Last::decode(&last);
            if self.last.is_none() {
                return Ok(Err("it does not tell the last batch".to_owned()));
            }
        }
        let deadline = Instant::now() + CHECK;
        for (ordinal, epoch) in epochs(rows)? {
            if let Err(reason) = self.fill_epoch(rows, ordinal, epoch, deadline)? {
                return Ok(Err(reason));
            }
        }
        Ok(Ok(()))
    }

    fn fill_epoch(
        &mut self,
        rows: &ReadRows,
        ordinal: u64,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Result<(), String>, redb::Error> {
        let mut heads = Vec::new();
        let mut wrong = None;
        rows::each(
            rows,
            rows::head(ordinal, 0),
            rows::head(ordinal, u64::MAX),
            |name, bytes| {
                let (_, seq) = name.numbers();
                match Head::decode(bytes) {
                    Ok(head) if self.index.push(ordinal, epoch, seq, Item::from(&head)) => {
                        heads.push((seq, head));
                    }
                    Ok(_) => {
                        wrong = Some(format!("a batch before {seq} of epoch {epoch} is missing"));
                    }
                    Err(reason) => wrong = Some(reason),
                }
            },
        )?;
        if let Some(reason) = wrong {
            return Ok(Err(reason));
        }
        for (seq, head) in heads {
            if Instant::now() > deadline {
                break;
            }
            let frame = rows::get(rows, rows::frame(ordinal, seq))?.unwrap_or_default();
            if !head.fits(&frame) {
                self.spoilt.push((ordinal, seq));
            }
        }
        Ok(Ok(()))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn epochs(rows: &ReadRows) -> Result<Vec<(u64, Epoch)>, redb::Error> {
    let mut epochs = Vec::new();
    rows::each(
        rows,
        rows::epoch(0),
        rows::epoch(u64::MAX),
        |name, bytes| {
            // One of another length names no epoch that was ever drawn: nothing is deleted by it.
            epochs.push((
                name.numbers().0,
                Epoch(bytes.try_into().unwrap_or_default()),
            ));
        },
    )?;
    Ok(epochs)
}
