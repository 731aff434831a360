//! The ledger's baseline as a file, so that an agent that was killed goes on where its last row
//! ended. It lives beside the counters: both are gone after a boot, and a baseline of counters that
//! began anew since is not believed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::join::Baseline;

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

#[derive(Serialize, Deserialize)]
struct Stored {
    boot_id: String,
    incarnation: u32,
    baseline: Baseline,
}

/// The state file of one agent.
#[derive(Debug)]
pub struct State {
    file: PathBuf,
    boot_id: String,
    incarnation: u32,
}

impl State {
    /// In `directory`, for counters of this boot and incarnation.
    pub fn open(directory: &Path, boot_id: &str, incarnation: u32) -> Result<Self, StateError> {
        let file = directory.join(FILE);
        fs::create_dir_all(directory).map_err(|source| StateError {
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self {
            file,
            boot_id: boot_id.to_owned(),
            incarnation,
        })
    }

    /// What an earlier agent left for these very counters.
    pub fn load(&self) -> Option<Baseline> {
        let stored: Stored = serde_json::from_slice(&fs::read(&self.file).ok()?).ok()?;
        let fits = stored.boot_id == self.boot_id && stored.incarnation == self.incarnation;
        fits.then_some(stored.baseline)
    }

    /// Replaces it as a whole or not at all.
    pub fn save(&self, baseline: Baseline) -> Result<(), StateError> {
        let stored = Stored {
            boot_id: self.boot_id.clone(),
            incarnation: self.incarnation,
            baseline,
        };
        let failed = |source| StateError {
            path: self.file.clone(),
            source,
        };
        let bytes = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, bytes)
            .and_then(|()| fs::rename(&fresh, &self.file))
            .map_err(failed)
    }
}

/// Removes what was kept in `directory`; tells whether there was anything.
pub fn remove(directory: &Path) -> Result<bool, StateError> {
    let file = directory.join(FILE);
    match fs::remove_file(&file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StateError { path: file, source }),
    }
}
