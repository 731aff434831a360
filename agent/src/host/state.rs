//! The ledger's baseline as a file, so that an agent that was killed goes on where its last row
//! ended. It lives beside the counters: both are gone after a boot, and a baseline of other counters
//! is not believed. Where batches are spooled the same state goes into the spool with each batch; this file
//! then tells what was taken in since, and names the batch that it goes on from.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use protocol::Epoch;
use serde::{Deserialize, Serialize};

use crate::join::{Baseline, OomLedger};

/// Where the baseline lies by default: in memory, like the counters.
pub const STATE_DIRECTORY: &str = "/run/podledger";
const FILE: &str = "host.json";

/// Why the state can't be kept.
#[derive(Debug, thiserror::Error)]
#[error("keeping the ledger's state in {path}: without it a restart tells a gap")]
pub struct StateError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Which counters a baseline is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Boot of the kernel.
    pub boot_id: String,
    /// Their number in that boot.
    pub incarnation: u32,
    /// CPU time came from files.
    pub cpu_by_files: bool,
}

/// The last batch that a state covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBatch {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its seq.
    pub seq: u64,
}

/// What an earlier agent left.
#[derive(Debug)]
pub enum Stored {
    /// A baseline of these very counters.
    Fits {
        /// The batch that it goes on from.
        last: Option<LastBatch>,
        /// The ledger's.
        baseline: Box<Baseline>,
        /// Of kills that no row told yet.
        oom: Box<OomLedger>,
    },
    /// A baseline of counters that are gone.
    OtherCounters,
    /// Nothing that can be read.
    Nothing,
}

#[derive(Serialize, Deserialize)]
struct Contents<B, O> {
    counters: Counters,
    /// None where rows are only written out.
    #[serde(default)]
    last: Option<LastBatch>,
    baseline: B,
    oom: O,
}

/// The state file of one agent.
#[derive(Debug)]
pub struct State {
    file: PathBuf,
    counters: Counters,
}

impl State {
    /// In `directory`, for these counters.
    pub fn open(directory: &Path, counters: Counters) -> Result<Self, StateError> {
        let file = directory.join(FILE);
        fs::create_dir_all(directory).map_err(|source| StateError {
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self { file, counters })
    }

    /// What an earlier agent left in its file and, with its last batch, in its spool. The file is the newer
    /// one if it goes on from that batch; if not, the batch came after it.
    pub fn load(&self, spooled: Option<&[u8]>) -> Stored {
        let file = read(&fs::read(&self.file).unwrap_or_default());
        let spooled = spooled.and_then(read);
        let stored = match (file, spooled) {
            (Some(file), Some(spooled)) if file.last != spooled.last => Some(spooled),
            (Some(file), _) => Some(file),
            (None, spooled) => spooled,
        };
        match stored {
            Some(stored) if stored.counters == self.counters => Stored::Fits {
                last: stored.last,
                baseline: Box::new(stored.baseline),
                oom: Box::new(stored.oom),
            },
            Some(_) => Stored::OtherCounters,
            None => Stored::Nothing,
        }
    }

    /// The state as bytes, `last` being the batch that it goes on from.
    pub fn bytes(
        &self,
        last: Option<LastBatch>,
        baseline: &Baseline,
        oom: &OomLedger,
    ) -> Result<Vec<u8>, StateError> {
        let contents = Contents {
            counters: self.counters.clone(),
            last,
            baseline,
            oom,
        };
        serde_json::to_vec(&contents).map_err(|error| self.failed(error.into()))
    }

    /// Replaces the file as a whole or not at all.
    pub fn save(&self, bytes: &[u8]) -> Result<(), StateError> {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, bytes)
            .and_then(|()| fs::rename(&fresh, &self.file))
            .map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> StateError {
        StateError {
            path: self.file.clone(),
            source,
        }
    }

    /// Leaves nothing: a state that is behind the rows is worse than none.
    pub fn discard(&self) {
        // Where nothing can be written there is often nothing to remove either.
        drop(fs::remove_file(&self.file));
    }
}

fn read(bytes: &[u8]) -> Option<Contents<Baseline, OomLedger>> {
    serde_json::from_slice(bytes).ok()
}

/// Removes what was kept in `directory`; tells whether there was anything.
pub fn remove(directory: &Path) -> Result<bool, StateError> {
    let file = directory.join(FILE);
    match fs::remove_file(&file) {
        Ok(()) => {
            // Others may keep something there.
            drop(fs::remove_dir(directory));
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StateError { path: file, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{join::Ledger, kernel::Snapshot};

    fn state(name: &str) -> State {
        let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let counters = Counters {
            boot_id: "boot".to_owned(),
            incarnation: 1,
            cpu_by_files: false,
        };
        State::open(&directory, counters).unwrap()
    }

    fn bytes(state: &State, seq: Option<u64>, window_end_us: i64) -> Vec<u8> {
        let mut ledger = Ledger::new(
            protocol::Origin::default(),
            protocol::Timestamp::default(),
            0,
        );
        ledger.skip_to(&Snapshot::default());
        let baseline = Baseline {
            window_end_us,
            ..ledger.baseline()
        };
        let epoch = Epoch([1; 16]);
        let last = seq.map(|seq| LastBatch { epoch, seq });
        state.bytes(last, &baseline, &OomLedger::default()).unwrap()
    }

    fn loaded(state: &State, spooled: Option<&[u8]>) -> Option<i64> {
        match state.load(spooled) {
            Stored::Fits { baseline, .. } => Some(baseline.window_end_us),
            Stored::OtherCounters | Stored::Nothing => None,
        }
    }

    /// A kill between the spool's transaction and the file: the spool is ahead. After it: the file is.
    #[test]
    fn the_newer_one_of_file_and_spool_counts() {
        let state = state("podledger-state");
        assert_eq!(loaded(&state, None), None);
        let spooled = bytes(&state, Some(7), 70);
        assert_eq!(loaded(&state, Some(&spooled)), Some(70), "the file is gone");
        state.save(&bytes(&state, Some(6), 60)).unwrap();
        assert_eq!(
            loaded(&state, Some(&spooled)),
            Some(70),
            "a batch came after the file"
        );
        state.save(&bytes(&state, Some(7), 71)).unwrap();
        assert_eq!(
            loaded(&state, Some(&spooled)),
            Some(71),
            "the file goes on from the batch"
        );
        assert_eq!(loaded(&state, None), Some(71), "the spool is gone");
        assert!(remove(state.file.parent().unwrap()).unwrap());
    }
}
