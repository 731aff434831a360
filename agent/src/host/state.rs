//! The ledger's baseline as a file, so that an agent that was killed goes on where its last row
//! ended. It lives beside the counters: both are gone after a boot, and a baseline of other counters
//! is not believed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

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

/// What an earlier agent left.
#[derive(Debug)]
pub enum Stored {
    /// A baseline of these very counters.
    Fits(Box<Baseline>, Box<OomLedger>),
    /// A baseline of counters that are gone.
    OtherCounters,
    /// Nothing that can be read.
    Nothing,
}

#[derive(Serialize, Deserialize)]
struct Contents<B, O> {
    counters: Counters,
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

    /// What an earlier agent left.
    pub fn load(&self) -> Stored {
        let bytes = fs::read(&self.file).unwrap_or_default();
        match serde_json::from_slice::<Contents<Baseline, OomLedger>>(&bytes) {
            Ok(stored) if stored.counters == self.counters => {
                Stored::Fits(Box::new(stored.baseline), Box::new(stored.oom))
            }
            Ok(_) => Stored::OtherCounters,
            Err(_) => Stored::Nothing,
        }
    }

    /// Replaces it as a whole or not at all.
    pub fn save(&self, baseline: &Baseline, oom: &OomLedger) -> Result<(), StateError> {
        let contents = Contents {
            counters: self.counters.clone(),
            baseline,
            oom,
        };
        let failed = |source| StateError {
            path: self.file.clone(),
            source,
        };
        let bytes = serde_json::to_vec(&contents).map_err(|error| failed(error.into()))?;
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, bytes)
            .and_then(|()| fs::rename(&fresh, &self.file))
            .map_err(failed)
    }

    /// Leaves nothing: a state that is behind the rows is worse than none.
    pub fn discard(&self) {
        // Where nothing can be written there is often nothing to remove either.
        drop(fs::remove_file(&self.file));
    }
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
