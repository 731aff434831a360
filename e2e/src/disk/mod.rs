//! A disk in memory for a spool: it fails on demand, and a loss of power takes any part of what was
//! not synced. Everything random comes from its seed.

mod content;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use agent::spool::{Place, PlaceBytes};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use content::{Content, Handle};

/// See the module. A clone is the same disk: one belongs to the spool, another to who makes it fail.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<Inner>>);

/// What a disk does to the operations that follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// All work.
    #[default]
    Works,
    /// Writes fail for want of room, after so many that work.
    Full(u64),
    /// Syncs fail, after so many that work; what they should have put on disk may be lost.
    SyncFails(u64),
    /// The agent is dead, after so many operations of any kind that work.
    Dies(u64),
}

struct Inner {
    random: StdRng,
    mood: Mood,
    /// Handles of an earlier life of the agent do nothing.
    life: u64,
    /// What is in use; none if there is nothing.
    current: Option<Content>,
    /// What is not in use yet.
    fresh: Option<Content>,
    /// How many were put aside.
    aside: u64,
    operations: u64,
}

impl Disk {
    /// An empty one.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            random: StdRng::seed_from_u64(seed),
            mood: Mood::Works,
            life: 0,
            current: None,
            fresh: None,
            aside: 0,
            operations: 0,
        })))
    }

    /// For [`agent::spool::Spool::open_on`]. From now on only this one works: the agent that had an
    /// earlier one is dead.
    pub fn place(&self) -> Box<dyn Place> {
        let mut inner = self.lock();
        inner.life += 1;
        inner.fresh = None;
        Box::new(Used {
            disk: self.clone(),
            life: inner.life,
        })
    }

    /// What the next operations meet.
    pub fn set_mood(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Whether its agent is dead.
    pub fn is_dead(&self) -> bool {
        self.lock().mood == Mood::Dies(0)
    }

    /// The agent is killed: what it wrote is still there, synced or not.
    pub fn kill(&self) {
        self.lock().mood = Mood::Dies(0);
    }

    /// The node loses its power: of what was not synced, any sectors may be there. Call
    /// [`Disk::place`] for the next start, when the mood is [`Mood::Works`] again.
    pub fn lose_power(&self) {
        let mut inner = self.lock();
        inner.mood = Mood::Dies(0);
        inner.fresh = None;
        let Inner {
            random, current, ..
        } = &mut *inner;
        if let Some(current) = current {
            current.lose_power(random);
        }
    }

    /// The disk is replaced by an empty one.
    pub fn wipe(&self) {
        let mut inner = self.lock();
        inner.mood = Mood::Dies(0);
        inner.current = None;
    }

    /// Some bits of what is in use flip.
    pub fn rot(&self, bits: usize) {
        let mut inner = self.lock();
        let Inner {
            random, current, ..
        } = &mut *inner;
        if let Some(current) = current {
            for _ in 0..bits {
                current.flip(random);
            }
        }
    }

    /// Operations that were tried so far.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Spools that were put aside so far.
    pub fn put_aside(&self) -> u64 {
        self.lock().aside
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Disk")
            .field("mood", &self.lock().mood)
            .finish_non_exhaustive()
    }
}

/// What an operation does, as far as a mood cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Sync,
}

/// Why an operation does nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    Dead,
    Full,
    SyncFails,
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Dead => Self::other("the agent is dead"),
            Refused::Full => io::ErrorKind::StorageFull.into(),
            Refused::SyncFails => Self::other("the disk did not sync"),
        }
    }
}

impl Inner {
    /// Whether an operation of this kind works now.
    fn operate(&mut self, life: u64, kind: Kind) -> Result<(), Refused> {
        if life != self.life {
            return Err(Refused::Dead);
        }
        self.operations += 1;
        let (left, refused) = match (&mut self.mood, kind) {
            (Mood::Full(left), Kind::Write) => (left, Refused::Full),
            (Mood::SyncFails(left), Kind::Sync) => (left, Refused::SyncFails),
            (Mood::Dies(left), _) => (left, Refused::Dead),
            _ => return Ok(()),
        };
        *left = left.checked_sub(1).ok_or(refused)?;
        Ok(())
    }
}

/// The disk in use by one life of an agent.
#[derive(Debug)]
struct Used {
    disk: Disk,
    life: u64,
}

impl Used {
    fn handle(&self, content: &Content) -> PlaceBytes {
        Arc::new(Handle::new(self.disk.clone(), self.life, content.number()))
    }
}

impl Place for Used {
    fn current(&mut self) -> io::Result<Option<PlaceBytes>> {
        let mut inner = self.disk.lock();
        inner.operate(self.life, Kind::Read)?;
        Ok(inner.current.as_ref().map(|content| self.handle(content)))
    }

    fn fresh(&mut self) -> io::Result<PlaceBytes> {
        let mut inner = self.disk.lock();
        inner.operate(self.life, Kind::Write)?;
        let content = Content::new(inner.random.random());
        let handle = self.handle(&content);
        inner.fresh = Some(content);
        Ok(handle)
    }

    fn install(&mut self) -> io::Result<Option<PathBuf>> {
        let mut inner = self.disk.lock();
        inner.operate(self.life, Kind::Write)?;
        let fresh = inner.fresh.take().ok_or(io::ErrorKind::NotFound)?;
        if inner.current.replace(fresh).is_none() {
            return Ok(None);
        }
        inner.aside += 1;
        Ok(Some(PathBuf::from(format!("lost-{}", inner.aside))))
    }
}
