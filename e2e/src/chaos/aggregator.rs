//! An aggregator's place: one process after the other, each with nothing but the store.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use aggregator::{
    care::{Care, Rules, Settings as CareSettings, Size},
    lake::{
        encode::Encode,
        merge::Merger,
        random::Random,
        rows::{MergeFiles, WriteSettings},
        settings::{CrashPoint, Offload, Settings as LakeSettings},
    },
    service::{Service, Settings, When},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use object_store::path::Path;
use protocol::Table;
use tokio::sync::watch;

use super::{
    life::{Fate, Life},
    lines::{Lines, MergeLines},
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
    /// Whether there is to be an aggregator here; who is not wanted any more ends in order.
    pub is_wanted: watch::Sender<bool>,
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
            is_wanted: watch::Sender::new(door == 0 || !world.profile.scales),
            life: Mutex::default(),
        }
    }

    /// One aggregator after the other, for ever.
    pub async fn run(self: Arc<Self>) {
        for number in 0_u64.. {
            self.wanted(true).await;
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
            let most = self.world.draw(|random| random.magnitude(100, 30_000));
            self.world.linger(most).await;
        }
    }

    /// Its life, to the reason for its end.
    async fn live(&self, number: u64, fate: Arc<Fate>) -> String {
        let owner = format!("aggregator {}/{number}", self.door);
        let store = Arc::new(Store::new(&self.world, &self.bucket, owner, &fate));
        let settings = self.settings(&fate);
        let started = Service::start(store.clone(), self.prefix.clone(), settings).await;
        let service = match started {
            Ok(service) => service,
            Err(error) => return error.to_string(),
        };
        self.note(format_args!("is ready"));
        let mut requests = self.network.open(self.door);
        let mut taken = FuturesUnordered::new();
        let care = care(&self.world, store, &self.prefix);
        let mut maintenance = pin!(self.maintain(&care));
        let mut commits = pin!(service.run());
        let mut unwanted = pin!(self.wanted(false));
        let mut is_closed = false;
        loop {
            tokio::select! {
                biased;
                Some(request) = requests.recv() => taken.push(self.take(&service, request)),
                Some(()) = taken.next() => {}
                () = &mut maintenance => {}
                () = &mut commits => return "nothing is committed any more".to_owned(),
                () = &mut unwanted, if !is_closed => {
                    self.note(format_args!("is told to end"));
                    is_closed = true;
                    service.stop();
                    self.network.close(self.door);
                }
            }
        }
    }

    /// Until one is wanted here, or none any more.
    async fn wanted(&self, is_wanted: bool) {
        let mut wanted = self.is_wanted.subscribe();
        if *wanted.borrow() != is_wanted {
            // The other end lives as long as this place.
            drop(wanted.wait_for(|now| *now == is_wanted).await);
        }
    }

    /// Takes care of the tables now and then, as every other aggregator does at the same time.
    async fn maintain(&self, care: &Care) {
        let most = self.world.profile.care_ms;
        if most == 0 {
            return std::future::pending().await;
        }
        loop {
            self.world.linger(most).await;
            let is_vacuum = self.world.draw(|random| random.chance(3_000));
            let done = match is_vacuum {
                true => care.vacuum(false).await.map(drop),
                false => care.round().await.map(drop),
            };
            match done {
                Ok(()) => self.note(format_args!("took care: {:?}", care.tally())),
                Err(error) => self.note(format_args!("could not take care: {error}")),
            }
        }
    }

    fn settings(&self, fate: &Arc<Fate>) -> Settings {
        let profile = &self.world.profile;
        let seed = self.world.draw(super::random::Random::draw);
        let encode: Arc<dyn Encode> = match profile.is_parquet {
            true => Arc::new(WriteSettings::default()),
            false => Arc::new(Lines),
        };
        let (world, fate) = (Arc::clone(&self.world), Arc::clone(fate));
        let hook = move |point: CrashPoint| {
            let (world, fate) = (Arc::clone(&world), Arc::clone(&fate));
            let step: BoxFuture<'static, ()> = Box::pin(async move {
                if world.chance(world.profile.store.deadly) {
                    world.note(format_args!("an aggregator dies {point:?}"));
                    fate.end();
                    std::future::pending::<()>().await;
                }
            });
            step
        };
        let lake = LakeSettings {
            offload: Offload::Inline,
            random: Arc::new(Random::seeded(seed)),
            hook: Arc::new(hook),
            ..LakeSettings::new(encode)
        };
        let settings = Settings::new(lake);
        Settings {
            when: When {
                age: Duration::from_millis(profile.commit_ms),
                ..settings.when
            },
            ..settings
        }
    }

    /// One request; some senders hang up in the middle of it.
    async fn take(&self, service: &Service, request: Request) {
        let polls = self
            .world
            .draw(|random| random.chance(500).then(|| random.below(8)));
        let Request { node, body, answer } = request;
        let fate = Arc::default();
        let taken = Life::new(&self.world, &fate, polls, service.take(Some(&node), body)).await;
        if let Some(taken) = taken {
            let taken = taken.map(|ack| Bytes::from(protocol::encode_ack(&ack)));
            // The sender may not wait any more.
            drop(answer.send(taken));
        }
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        let door = self.door;
        self.world.note(format_args!("aggregator {door} {what}"));
    }
}

/// What is merged, deleted and cleaned here within minutes takes days in earnest.
fn care(world: &World, store: Arc<Store>, prefix: &Path) -> Care {
    let profile = &world.profile;
    let (merger, schema): (Merger, fn(Table) -> String) = match profile.is_parquet {
        true => {
            let merger = MergeFiles {
                offload: Offload::Inline,
                ..MergeFiles::default()
            };
            let schema = |table| WriteSettings::default().schema(table);
            (Arc::new(merger), schema)
        }
        false => (Arc::new(MergeLines), |table| Lines.schema(table)),
    };
    let rules = Rules {
        hour: Duration::from_secs(20),
        settle: Duration::from_secs(2),
        most: Size {
            files: 12,
            ..Rules::default().most
        },
        ..Rules::default()
    };
    let settings = CareSettings {
        random: Arc::new(Random::seeded(world.draw(super::random::Random::draw))),
        rules,
        readers: Duration::from_secs(profile.readers_s),
        history: Duration::from_secs(profile.history_s),
        watermarks: Duration::from_secs(profile.readers_s),
        entries: 4,
        hourly: false,
        ..CareSettings::new(merger, schema)
    };
    Care::new(store, prefix, settings)
}
