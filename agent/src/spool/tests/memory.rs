//! A place in memory, for tests that open a spool some thousand times.

use std::{io, path::PathBuf, sync::Arc};

use redb::{StorageBackend as _, backends::InMemoryBackend};

use crate::spool::place::{Bytes, Place};

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    current: Bytes,
    fresh: Option<Bytes>,
}

impl Memory {
    /// With these bytes in it.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let backend = InMemoryBackend::new();
        backend.set_len(bytes.len() as u64).unwrap();
        backend.write(0, bytes).unwrap();
        Self {
            current: Arc::new(backend),
            fresh: None,
        }
    }
}

impl Place for Memory {
    fn current(&mut self) -> io::Result<Option<Bytes>> {
        Ok(Some(Arc::clone(&self.current)))
    }

    fn fresh(&mut self) -> io::Result<Bytes> {
        let fresh: Bytes = Arc::new(InMemoryBackend::new());
        self.fresh = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    fn install(&mut self) -> io::Result<Option<PathBuf>> {
        self.current = self.fresh.take().unwrap();
        Ok(Some(PathBuf::from("aside")))
    }
}
