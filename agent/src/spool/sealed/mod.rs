//! Blocks with checksums beneath the database. It trusts what it reads after a clean end, and damaged
//! pages can make it panic, which ends an agent at every start. With a checksum on each block it sees
//! exactly what it wrote, or an error. Its header, of which parts have no checksum of their own, is
//! kept twice, so that a damaged one can't quietly be an older one.
//!
//! A block that the database can still reach is never overwritten: it commits in two phases, so a
//! block torn by a loss of power belongs to nothing, and a checksum that is wrong means damage.

mod slot;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;

use super::{faults::Faults, place::Bytes};
use slot::{Read, Slot};

/// Bytes of a block as the database sees it: its page.
const BLOCK: usize = 4096;
/// The same on disk, with its checksum.
const SEALED: usize = BLOCK + size_of::<u32>();
/// Where the two copies of the head are.
const SLOTS: [u64; 2] = [0, BLOCK as u64];
/// Where the blocks begin.
const BLOCKS: u64 = 2 * BLOCK as u64;

/// See the module.
#[derive(Debug)]
pub(super) struct Sealed {
    bytes: Bytes,
    faults: Arc<Faults>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// As it is, or will be after the next sync.
    head: Slot,
    /// The copy that is synced. Only the other is written.
    safe: usize,
    /// The other copy is newer.
    written: bool,
    /// The length has changed since a copy was written.
    resized: bool,
    /// The file has grown since the last sync.
    grown: bool,
}

impl Sealed {
    /// On bytes that are there.
    pub(super) fn open(bytes: Bytes, faults: Arc<Faults>) -> Result<Self, String> {
        let (safe, head) = newest(&*bytes)?;
        let length = bytes
            .len()
            .map_err(|error| format!("its length can't be read: {error}"))?;
        if length < sealed_len(head.len) {
            return Err(format!(
                "it has {length} bytes, but should have {}",
                sealed_len(head.len)
            ));
        }
        // The newest copy may have been written, but not synced, by a process that was killed. The
        // other, which is about to be written, would be the only safe one then.
        if let Err(error) = bytes.sync_data() {
            faults.sync(&error);
        }
        Ok(Self::new(bytes, faults, head, safe))
    }

    /// On none.
    pub(super) fn create(bytes: Bytes, faults: Arc<Faults>) -> Self {
        Self::new(bytes, faults, Slot::default(), 1)
    }

    fn new(bytes: Bytes, faults: Arc<Faults>, head: Slot, safe: usize) -> Self {
        let state = State {
            head,
            safe,
            written: false,
            resized: false,
            grown: false,
        };
        Self {
            bytes,
            faults,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes
            .write(offset, data)
            .inspect_err(|error| self.faults.write(error))
    }

    fn sync(&self) -> io::Result<()> {
        self.bytes
            .sync_data()
            .inspect_err(|error| self.faults.sync(error))
    }

    fn resize(&self, len: u64) -> io::Result<()> {
        self.bytes
            .set_len(len)
            .inspect_err(|error| self.faults.write(error))
    }

    /// Cuts off what the database no longer sees.
    fn cut(&self, len: u64) -> io::Result<()> {
        let wanted = sealed_len(len);
        if self.bytes.len()? > wanted {
            self.bytes.set_len(wanted)?;
        }
        Ok(())
    }

    fn write_head(&self, state: &mut State) -> io::Result<()> {
        // A head must never be on disk before the length that it names: they are not ordered.
        if std::mem::take(&mut state.grown) {
            self.sync()?;
        }
        state.head.version += 1;
        self.put(SLOTS[1 - state.safe], &state.head.encode())?;
        state.written = true;
        state.resized = false;
        Ok(())
    }

    fn read_blocks(&self, first: u64, out: &mut [u8]) -> io::Result<()> {
        let mut sealed = vec![0; out.len() / BLOCK * SEALED];
        self.bytes
            .read(block_at(first), &mut sealed)
            .inspect_err(|error| self.faults.read(error))?;
        let blocks = out.chunks_exact_mut(BLOCK).zip(sealed.chunks_exact(SEALED));
        for (number, (out, sealed)) in (first..).zip(blocks) {
            let (data, sum) = sealed.split_at(BLOCK);
            if sum != checksum(number, data) {
                let reason = format!("the bytes of block {number} are not those that were written");
                self.faults.unusable(reason.clone());
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            out.copy_from_slice(data);
        }
        Ok(())
    }
}

impl StorageBackend for Sealed {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().head.len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if span(offset, out.len())? > state.head.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if offset == 0 {
            out.fill(0);
            for (to, from) in out.iter_mut().zip(&state.head.header) {
                *to = *from;
            }
            return Ok(());
        }
        drop(state);
        self.read_blocks(offset / BLOCK as u64, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        // What is cut off goes with the next sync, when no copy of the head names it any more.
        if len > state.head.len {
            self.resize(sealed_len(len))?;
            state.grown = true;
        }
        state.resized |= len != state.head.len;
        state.head.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.resized && !state.head.header.is_empty() {
            self.write_head(&mut state)?;
        }
        self.sync()?;
        state.grown = false;
        if state.written {
            state.safe = 1 - state.safe;
            state.written = false;
            // All is on disk: a write that fails here is done with the next commit.
            let second = self
                .bytes
                .write(SLOTS[1 - state.safe], &state.head.encode());
            match second.and_then(|()| self.cut(state.head.len)) {
                // Else a loss of power could take this copy back to an older head, and damage to the
                // other then undo a commit without a word.
                Ok(()) => self.sync()?,
                Err(error) => log::debug!(
                    "the spool's end, or the second copy of its head, is not written: {error}"
                ),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset == 0 {
            if data.len() > slot::ROOM {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let mut state = self.state();
            state.head.header = data.to_vec();
            return self.write_head(&mut state);
        }
        span(offset, data.len())?;
        let first = offset / BLOCK as u64;
        let mut sealed = Vec::with_capacity(data.len() / BLOCK * SEALED);
        for (number, block) in (first..).zip(data.chunks_exact(BLOCK)) {
            sealed.extend_from_slice(block);
            sealed.extend_from_slice(&checksum(number, block));
        }
        self.put(block_at(first), &sealed)
    }

    fn close(&self) -> io::Result<()> {
        if self.state().resized && !self.faults.any() {
            return self.sync_data();
        }
        Ok(())
    }
}

/// The newer whole copy of the head, and which it is.
fn newest(bytes: &dyn StorageBackend) -> Result<(usize, Slot), String> {
    let mut best: Option<(usize, Slot)> = None;
    let mut later = None;
    for (which, at) in SLOTS.into_iter().enumerate() {
        let mut copy = [0; slot::SIZE];
        // A file that is too short has no such copy; what a disk can't read is told below.
        if bytes.read(at, &mut copy).is_err() {
            continue;
        }
        match Slot::decode(&copy) {
            Read::Slot(slot)
                if best
                    .as_ref()
                    .is_none_or(|(_, best)| slot.version > best.version) =>
            {
                best = Some((which, slot));
            }
            Read::Later(format) => later = Some(format),
            Read::Slot(_) | Read::Nothing => {}
        }
    }
    match (best, later) {
        (_, Some(format)) => Err(format!("it has format {format}, which a later agent made")),
        (Some(best), None) => Ok(best),
        (None, None) => Err("its beginning is damaged, or it is no spool".to_owned()),
    }
}

/// Where whole blocks of this offset and length end.
fn span(offset: u64, len: usize) -> io::Result<u64> {
    let whole = offset.is_multiple_of(BLOCK as u64) && (offset == 0 || len.is_multiple_of(BLOCK));
    let end = offset.checked_add(len as u64);
    end.filter(|_| whole)
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Where a block is. Block 0 is the head's.
fn block_at(number: u64) -> u64 {
    BLOCKS + number.saturating_sub(1) * SEALED as u64
}

/// Bytes on disk for this many of the database.
fn sealed_len(len: u64) -> u64 {
    block_at(len.div_ceil(BLOCK as u64))
}

/// Of a block at its place, so that one that landed elsewhere is noticed too.
fn checksum(number: u64, data: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(data);
    hasher.finalize().to_le_bytes()
}
