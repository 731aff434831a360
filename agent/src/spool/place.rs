//! Where a spool lies. The real one is a file; a simulation puts a disk of its own in its place.

use std::{fmt, io, path::PathBuf, sync::Arc};

use redb::StorageBackend;

/// Bytes of one spool. Shared, because a spool opens them again after a write has failed.
pub type Bytes = Arc<dyn StorageBackend>;

/// Where a spool lies: at most one is in use, and a new one takes its place in one step.
pub trait Place: fmt::Debug + Send {
    /// What is in use, locked against other processes; none if nothing is there. An error of the
    /// kind [`io::ErrorKind::WouldBlock`] says that another process has it.
    fn current(&mut self) -> io::Result<Option<Bytes>>;

    /// An empty one that is not in use yet. An earlier one that was never installed is forgotten.
    fn fresh(&mut self) -> io::Result<Bytes>;

    /// The fresh one, whose bytes were synced, is in use from here on, even after a loss of power;
    /// before that the old one is. Tells where the old one lies now, if there was one.
    fn install(&mut self) -> io::Result<Option<PathBuf>>;

    /// What is in use is about to be opened. Tells how many times before it was, without an end: the
    /// agent that tried was gone.
    fn opening(&mut self) -> u32 {
        0
    }

    /// It is open, or known to be unusable.
    fn opened(&mut self) {}

    /// Holds some room on the disk, or gives it back, so that what is deleted can be taken out of the
    /// spool of a full one. A place that is never full needs none.
    fn reserve(&mut self, hold: bool) -> io::Result<()> {
        let _ = hold;
        Ok(())
    }
}
