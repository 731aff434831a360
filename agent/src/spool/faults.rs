//! What went wrong beneath the database. It tells an error, but not of which operation, and that
//! decides: after a failed write the file is as it was, after a failed sync nobody knows what it is.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The worst that happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A write or a growth failed: nothing of it is visible after the file was opened again.
    Write(String),
    /// Bytes can't be read or aren't those that were written, or a sync failed: not to be used.
    Unusable(String),
}

/// See the module. Shared by the file and by those who judge its errors.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Option<Fault>>);

impl Faults {
    /// The worst so far.
    pub(super) fn worst(&self) -> Option<Fault> {
        self.lock().clone()
    }

    /// Whether anything failed.
    pub(super) fn any(&self) -> bool {
        self.lock().is_some()
    }

    /// A write failed.
    pub(super) fn write(&self, error: &io::Error) {
        self.lock().get_or_insert(Fault::Write(error.to_string()));
    }

    /// A sync failed.
    pub(super) fn sync(&self, error: &io::Error) {
        self.unusable(format!("it could not be synced to disk: {error}"));
    }

    /// A read failed.
    pub(super) fn read(&self, error: &io::Error) {
        self.unusable(format!("it could not be read: {error}"));
    }

    /// The bytes are not those that were written.
    pub(super) fn unusable(&self, reason: String) {
        let mut fault = self.lock();
        if !matches!(*fault, Some(Fault::Unusable(_))) {
            *fault = Some(Fault::Unusable(reason));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
