//! An aggregator's place: one process after the other, each with nothing but the store.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aggregator::{
    lake::{random::Random, settings::Offload},
    service::{Service, Settings},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use object_store::path::Path;

use super::{
    life::{Fate, Life},
    network::{Network, Request},
    store::{Store, bucket::Bucket},
    world::{World, lock},
};

/// See the module.
pub struct Place {
    door: usize,
    world: Arc<World>,
    network: Arc<Network>,
    bucket: Arc<Bucket>,
    prefix: Path,
    /// Of the aggregator that lives now, for those who want to end it.
    pub life: Mutex<Arc<Fate>>,
}

impl Place {
    /// Without an aggregator yet.
    pub fn new(
        door: usize,
        world: &Arc<World>,
        network: &Arc<Network>,
        bucket: &Arc<Bucket>,
        prefix: &Path,
    ) -> Self {
        Self {
            door,
            world: Arc::clone(world),
            network: Arc::clone(network),
            bucket: Arc::clone(bucket),
            prefix: prefix.clone(),
            life: Mutex::default(),
        }
    }

    /// One aggregator after the other, for ever.
    pub async fn run(self: Arc<Self>) {
        for number in 0_u64.. {
            let fate = Arc::new(Fate::default());
            fate.skew(lock(&self.life).skew_us());
            *lock(&self.life) = Arc::clone(&fate);
            let most = self.world.profile.polls;
            let polls = (most > 0).then(|| self.world.draw(|random| random.magnitude(1, most * 4)));
            let life = self.live(number, Arc::clone(&fate));
            let ended = Life::new(&self.world, &fate, polls, life).await;
            fate.end();
            match ended {
                Some(why) => self.note(format_args!("ends: {why}")),
                None => {
                    self.world.crashed();
                    self.note(format_args!("crashes"));
                }
            }
            self.world.linger(20_000).await;
        }
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        let door = self.door;
        self.world.note(format_args!("aggregator {door} {what}"));
    }
}
