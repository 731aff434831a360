//! A node's disk: what was not synced may be lost with the power, page by page and sector by sector;
//! a sync may fail, and then what it was for never reaches the disk.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use agent::spool::{Place, PlaceBytes};
use redb::StorageBackend;

use super::{
    life::Fate,
    world::{World, lock},
};

const PAGE: usize = 4_096;
const SECTOR: usize = 512;

/// One file's bytes.
#[derive(Debug, Default)]
struct Image {
    /// As processes see it.
    cached: Vec<u8>,
    /// What the disk holds of pages that were written since the last sync.
    unsynced: BTreeMap<usize, Vec<u8>>,
    /// What it holds of pages whose sync failed: the system takes them for clean.
    forgotten: BTreeMap<usize, Vec<u8>>,
    /// Its length on the disk.
    length: usize,
}

impl Image {
    fn page(&self, number: usize) -> &[u8] {
        let start = (number * PAGE).min(self.cached.len());
        &self.cached[start..(start + PAGE).min(self.cached.len())]
    }

    fn write(&mut self, offset: usize, data: &[u8]) -> io::Result<()> {
        let end = offset + data.len();
        if end > self.cached.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for number in offset / PAGE..end.div_ceil(PAGE) {
            if !self.unsynced.contains_key(&number) {
                let forgotten = self.forgotten.remove(&number);
                let before = forgotten.unwrap_or_else(|| self.page(number).to_vec());
                self.unsynced.insert(number, before);
            }
        }
        self.cached[offset..end].copy_from_slice(data);
        Ok(())
    }

    /// The power fails: what the disk holds is what remains.
    fn lose_power(&mut self, world: &World) {
        let mut lost = std::mem::take(&mut self.unsynced);
        lost.append(&mut self.forgotten);
        for (number, before) in lost {
            let kept = world.draw(|random| match random.below(3) {
                0 => u64::MAX,
                1 => 0,
                _ => random.next(),
            });
            self.revert(number, &before, kept);
        }
        if world.draw(|random| random.chance(5_000)) {
            self.cached.truncate(self.length);
        }
        self.length = self.cached.len();
    }

    fn revert(&mut self, number: usize, before: &[u8], kept: u64) {
        for (place, sector) in before.chunks(SECTOR).enumerate() {
            let start = number * PAGE + place * SECTOR;
            if kept >> place & 1 == 0
                && let Some(now) = self.cached.get_mut(start..start + sector.len())
            {
                now.copy_from_slice(sector);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Files {
    current: Option<Arc<Mutex<Image>>>,
    fresh: Option<Arc<Mutex<Image>>>,
    asides: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Disk {
    world: Arc<World>,
    files: Mutex<Files>,
}

impl Disk {
    /// An empty one.
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            files: Mutex::default(),
        })
    }

    /// As a process sees it: nothing reaches it after its end.
    pub fn place(self: &Arc<Self>, life: &Arc<Fate>) -> Box<dyn Place> {
        Box::new(Mount {
            disk: Arc::clone(self),
            life: Arc::clone(life),
        })
    }

    /// The power fails.
    pub fn lose_power(&self) {
        let mut files = lock(&self.files);
        files.fresh = None;
        if let Some(current) = &files.current {
            lock(current).lose_power(&self.world);
        }
    }

    /// A new disk, empty.
    pub fn replace(&self) {
        *lock(&self.files) = Files::default();
    }

    /// Some bytes are not what they were.
    pub fn spoil(&self) {
        let files = lock(&self.files);
        let Some(current) = &files.current else {
            return;
        };
        let mut image = lock(current);
        let length = image.cached.len() as u64;
        for _ in 0..self.world.draw(|random| random.magnitude(1, 64)) {
            let (at, bit) = self.world.draw(|random| (random.below(length), random.below(8)));
            if let Some(byte) = image.cached.get_mut(usize::try_from(at).unwrap_or(0)) {
                *byte ^= 1 << bit;
            }
        }
    }
}

/// The disk in the hands of one process.
#[derive(Debug)]
struct Mount {
    disk: Arc<Disk>,
    life: Arc<Fate>,
}

impl Mount {
    fn open(&self, image: &Arc<Mutex<Image>>) -> PlaceBytes {
        Arc::new(File {
            world: Arc::clone(&self.disk.world),
            image: Arc::clone(image),
            life: Arc::clone(&self.life),
        })
    }
}

impl Place for Mount {
    fn current(&mut self) -> io::Result<Option<PlaceBytes>> {
        alive(&self.life)?;
        let files = lock(&self.disk.files);
        Ok(files.current.as_ref().map(|image| self.open(image)))
    }

    fn fresh(&mut self) -> io::Result<PlaceBytes> {
        alive(&self.life)?;
        let image = Arc::default();
        lock(&self.disk.files).fresh = Some(Arc::clone(&image));
        Ok(self.open(&image))
    }

    fn install(&mut self) -> io::Result<Option<PathBuf>> {
        alive(&self.life)?;
        let mut files = lock(&self.disk.files);
        let fresh = files.fresh.take().ok_or(io::ErrorKind::NotFound)?;
        let former = files.current.replace(fresh);
        if former.is_none() {
            return Ok(None);
        }
        files.asides += 1;
        Ok(Some(format!("spool.lost-{}", files.asides).into()))
    }
}

/// A file in the hands of one process.
struct File {
    world: Arc<World>,
    image: Arc<Mutex<Image>>,
    life: Arc<Fate>,
}

impl fmt::Debug for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a file on a simulated disk")
    }
}

fn alive(life: &Fate) -> io::Result<()> {
    match life.is_over() {
        true => Err(io::Error::other("the process is gone")),
        false => Ok(()),
    }
}

fn size(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}

impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        alive(&self.life)?;
        Ok(lock(&self.image).cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        alive(&self.life)?;
        let start = size(offset)?;
        let image = lock(&self.image);
        let found = image.cached.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        alive(&self.life)?;
        if self.world.chance(self.world.profile.disk.write) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        lock(&self.image).cached.resize(size(len)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        alive(&self.life)?;
        let mut image = lock(&self.image);
        let mut unsynced = std::mem::take(&mut image.unsynced);
        if self.world.chance(self.world.profile.disk.sync) {
            image.forgotten.append(&mut unsynced);
            return Err(io::Error::other("input/output error"));
        }
        image.length = image.cached.len();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        alive(&self.life)?;
        if self.world.chance(self.world.profile.disk.write) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        lock(&self.image).write(size(offset)?, data)
    }
}
