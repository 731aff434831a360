//! The bytes of one file on such a disk: what is on disk, and what is only in memory.

use std::io;

use rand::{Rng as _, rngs::StdRng};
use redb::StorageBackend;

use super::{Disk, Inner, Kind, Refused};

/// What a disk writes at once or not at all.
const SECTOR: usize = 512;

/// See the module.
pub(super) struct Content {
    /// Handles name it by this.
    number: u64,
    /// As the operating system shows it.
    seen: Vec<u8>,
    /// As it is on disk.
    on_disk: Vec<u8>,
    /// In their order; a sync empties it.
    unsynced: Vec<Unsynced>,
}

enum Unsynced {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

impl Content {
    /// None yet.
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            seen: Vec::new(),
            on_disk: Vec::new(),
            unsynced: Vec::new(),
        }
    }

    /// Its number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Any sectors of what was not synced are on disk; lengths are, up to one of them.
    pub(super) fn lose_power(&mut self, random: &mut StdRng) {
        self.land(random);
        self.seen.clone_from(&self.on_disk);
    }

    /// As after a failed sync: nobody will write again what did not land.
    fn land(&mut self, random: &mut StdRng) {
        let share = *[0.0, 0.1, 0.5, 0.9, 1.0]
            .get(random.random_range(0..5))
            .unwrap_or(&0.5);
        let mut lengths = true;
        for operation in std::mem::take(&mut self.unsynced) {
            match operation {
                Unsynced::Length(length) => {
                    lengths = lengths && random.random_bool(share);
                    if lengths {
                        self.on_disk.resize(length, 0);
                    }
                }
                Unsynced::Write { offset, data } => self.land_write(random, share, offset, &data),
            }
        }
    }

    fn sync(&mut self) {
        for operation in std::mem::take(&mut self.unsynced) {
            match operation {
                Unsynced::Length(length) => self.on_disk.resize(length, 0),
                Unsynced::Write { offset, data } => {
                    let place = self.on_disk.get_mut(offset..offset + data.len());
                    place
                        .into_iter()
                        .for_each(|place| place.copy_from_slice(&data));
                }
            }
        }
    }

    fn land_write(&mut self, random: &mut StdRng, share: f64, offset: usize, data: &[u8]) {
        let mut from = 0;
        while from < data.len() {
            let sector_end = ((offset + from) / SECTOR + 1) * SECTOR;
            let to = data.len().min(sector_end - offset);
            let place = self.on_disk.get_mut(offset + from..offset + to);
            if random.random_bool(share)
                && let Some(place) = place
            {
                place.copy_from_slice(&data[from..to]);
            }
            from = to;
        }
    }

    /// One bit flips, on disk and as it is seen.
    pub(super) fn flip(&mut self, random: &mut StdRng) {
        if self.seen.is_empty() {
            return;
        }
        let at = random.random_range(0..self.seen.len());
        let bit = 1 << random.random_range(0..8);
        for bytes in [&mut self.seen, &mut self.on_disk] {
            bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
        }
    }
}

/// Bytes as a spool uses them.
#[derive(Debug)]
pub(super) struct Handle {
    disk: Disk,
    life: u64,
    number: u64,
}

impl Handle {
    /// Of a file, for one life of an agent.
    pub(super) fn new(disk: Disk, life: u64, number: u64) -> Self {
        Self { disk, life, number }
    }

    fn operate<T>(
        &self,
        kind: Kind,
        work: impl FnOnce(&mut Content) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut inner = self.disk.lock();
        let allowed = inner.operate(self.life, kind);
        let Inner {
            random,
            current,
            fresh,
            ..
        } = &mut *inner;
        let mut contents = current.iter_mut().chain(fresh);
        let content = contents.find(|content| content.number == self.number);
        let content = content.ok_or(io::ErrorKind::NotFound)?;
        if allowed == Err(Refused::SyncFails) {
            content.land(random);
        }
        allowed?;
        work(content)
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.operate(Kind::Read, |content| Ok(content.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.operate(Kind::Read, |content| {
            let from = place(offset);
            let bytes = content.seen.get(from..from.saturating_add(out.len()));
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(Kind::Write, |content| {
            content.seen.resize(place(len), 0);
            content.unsynced.push(Unsynced::Length(place(len)));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(Kind::Sync, |content| {
            content.sync();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.operate(Kind::Write, |content| {
            let from = place(offset);
            let end = from.saturating_add(data.len());
            if content.seen.len() < end {
                content.seen.resize(end, 0);
                content.unsynced.push(Unsynced::Length(end));
            }
            content.seen[from..end].copy_from_slice(data);
            content.unsynced.push(Unsynced::Write {
                offset: from,
                data: data.to_vec(),
            });
            Ok(())
        })
    }
}
