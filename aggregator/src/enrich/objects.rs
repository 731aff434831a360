//! The store as watches and commits share it.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use super::{
    Keep, Kind, Odd, read,
    store::{Bounds, Store, Tally},
};
use crate::lake::{
    counters::Counter,
    rows::{Facts, Known},
};

/// What the store is given from outside.
#[derive(Clone)]
pub struct Settings {
    /// What bounds it.
    pub bounds: Bounds,
    /// Tells how much time has passed.
    pub clock: Arc<dyn Fn() -> Instant + Send + Sync>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            clock: Arc::new(Instant::now),
        }
    }
}

/// What is known of the cluster's objects.
pub struct Objects {
    store: RwLock<Store>,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    oddities: Counter,
}

impl Objects {
    /// None yet.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            store: RwLock::new(Store::new(settings.bounds)),
            clock: settings.clock,
            oddities: Counter::default(),
        })
    }

    /// How much it holds.
    pub fn tally(&self) -> Tally {
        self.reading().tally()
    }

    /// Fields of objects that were not what they must be, so far.
    pub fn oddities(&self) -> u64 {
        self.oddities.get()
    }

    fn reading(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an object before the store is locked, puts it, and buries it if it is gone.
    fn apply(&self, kind: Kind, object: &str, is_gone: bool) -> Result<(), Odd> {
        let mut oddities = 0;
        let now = (self.clock)();
        let odd = &mut oddities;
        match kind {
            Kind::Pods => {
                let pod = read::pod(object, odd)?;
                self.change(
                    |store| store.put_pod(&pod, is_gone),
                    kind,
                    is_gone.then_some(&pod.uid),
                    now,
                );
            }
            Kind::Nodes => {
                let node = read::node(object, odd)?;
                let gone = is_gone.then_some(&*node.name);
                self.change(|store| store.put_node(&node), kind, gone, now);
            }
            Kind::Claims => {
                let claim = read::claim(object, odd)?;
                let gone = is_gone.then_some(&*claim.key);
                self.change(|store| store.put_claim(&claim), kind, gone, now);
            }
            Kind::Volumes => {
                let volume = read::volume(object, odd)?;
                let gone = is_gone.then_some(&*volume.name);
                self.change(|store| store.put_volume(&volume), kind, gone, now);
            }
            Kind::ReplicaSets | Kind::Jobs => {
                let owned = read::owned(object, odd)?;
                let gone = is_gone.then_some(&*owned.uid);
                self.change(|store| store.put_owned(kind, &owned), kind, gone, now);
            }
        }
        self.oddities.add(oddities);
        Ok(())
    }

    fn change(&self, put: impl FnOnce(&mut Store), kind: Kind, gone: Option<&str>, now: Instant) {
        let mut store = self.writing();
        put(&mut store);
        if let Some(key) = gone {
            store.bury(kind, key, now);
        }
        store.forget(now);
    }
}

impl Keep for Objects {
    fn begin(&self, kind: Kind) {
        self.writing().begin(kind);
    }

    fn put(&self, kind: Kind, object: &str) -> Result<(), Odd> {
        self.apply(kind, object, false)
    }

    fn gone(&self, kind: Kind, object: &str) -> Result<(), Odd> {
        self.apply(kind, object, true)
    }

    fn end(&self, kind: Kind) {
        let now = (self.clock)();
        let mut store = self.writing();
        store.end(kind, now);
        store.forget(now);
    }
}

impl Known for Objects {
    fn read(&self, ask: &mut dyn FnMut(&dyn Facts)) {
        ask(&*self.reading());
    }
}
