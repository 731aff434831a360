//! A node: its counter, its disk, and the agents that live on it one after the other.

mod keeper;
mod link;
pub mod window;

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};

use agent::spool::{Bounds, Found, Spool};

use self::{keeper::Keeper, link::Link};
use super::{
    life::{Fate, Life},
    network::Network,
    random::Random,
    truth::{self, Truth},
    world::{World, lock},
};
use crate::disk::{Disk, Mood};

/// How long a batch may wait in a spool.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// See the module.
pub struct Node {
    index: usize,
    name: String,
    world: Arc<World>,
    truth: Arc<Truth>,
    network: Arc<Network>,
    disk: Disk,
    /// Of the agent that lives now, for those who want to end it.
    pub life: Mutex<Arc<Fate>>,
}

impl Node {
    /// Without an agent yet.
    pub fn new(
        index: usize,
        world: &Arc<World>,
        truth: &Arc<Truth>,
        network: &Arc<Network>,
    ) -> Self {
        Self {
            index,
            name: Truth::name(index),
            world: Arc::clone(world),
            truth: Arc::clone(truth),
            network: Arc::clone(network),
            disk: Disk::new(world.draw(Random::draw)),
            life: Mutex::default(),
        }
    }

    fn note(&self, what: fmt::Arguments<'_>) {
        self.world.note(format_args!("{} {what}", self.name));
    }

    fn known<T>(&self, change: impl FnOnce(&mut truth::Node) -> T) -> T {
        self.truth.with(self.index, change)
    }

    /// One agent after the other, for ever.
    pub async fn run(self: Rc<Self>) {
        loop {
            self.disk.set_mood(Mood::Works);
            let disk = self.disk.clone();
            let fate = Arc::new(Fate::with_last(move || disk.kill()));
            let skew = lock(&self.life).skew_us();
            fate.skew(skew);
            *lock(&self.life) = Arc::clone(&fate);
            let most = self.world.profile.polls;
            let polls = (most > 0).then(|| self.world.draw(|random| random.magnitude(1, most)));
            let live = live(Rc::clone(&self), Arc::clone(&fate));
            let _ended = Life::new(&self.world, &fate, polls, live).await;
            fate.end();
            self.world.crashed();
            self.note(format_args!("crashes"));
            self.known(|known| known.is_drained = false);
            self.suffer();
            let most = self.world.draw(|random| random.magnitude(100, 30_000));
            self.world.linger(most).await;
        }
    }

    /// For a while, the disk does not do what it should.
    pub fn set_mood(&self, mood: Mood) {
        if !self.disk.is_dead() {
            self.note(format_args!("has a disk that {mood:?}"));
            self.disk.set_mood(mood);
        }
    }

    fn spoilt_bits(&self) -> usize {
        let bits = self.world.draw(|random| random.magnitude(1, 64));
        usize::try_from(bits).unwrap_or(1)
    }

    /// What happens to the disk at a crash.
    fn suffer(&self) {
        let chances = &self.world.profile.disk;
        if self.world.chance(chances.power) {
            self.note(format_args!("loses power"));
            self.disk.lose_power();
        }
        if self.world.chance(chances.spoilt) {
            self.note(format_args!("has bytes spoilt"));
            self.disk.rot(self.spoilt_bits());
        }
        if self.world.chance(chances.lost) {
            self.note(format_args!("loses its disk"));
            self.disk.wipe();
            self.known(truth::Node::lose);
        }
    }
}

/// An agent's life: it opens the spool, closes windows, and sends.
async fn live(node: Rc<Node>, fate: Arc<Fate>) {
    let (spool, mut keeper) = begin(&node, &fate).await;
    let mut link = Link::new(&node, &spool);
    let window = Duration::from_millis(node.world.profile.window_ms);
    let first = node
        .world
        .draw(|random| random.between(1, node.world.profile.window_ms));
    let mut next = tokio::time::Instant::now() + Duration::from_millis(first);
    loop {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(next) => {
                next += window;
                if let Err(error) = spool.borrow_mut().expire(keeper.now()) {
                    node.note(format_args!("can't expire: {error}"));
                }
                keeper.close();
            }
            () = link.turn() => {}
        }
        if node.disk.is_dead() {
            fate.end();
            tokio::task::yield_now().await;
        }
    }
}

async fn begin(node: &Rc<Node>, fate: &Arc<Fate>) -> (Rc<RefCell<Spool>>, Keeper) {
    let bounds = Bounds {
        max_bytes: node.world.profile.spool_bytes,
        max_age: MAX_AGE,
    };
    loop {
        let opened = Spool::open_on(node.disk.place(), bounds);
        match opened {
            Ok((spool, found)) => {
                node.note(format_args!("opens its spool: {found:?}"));
                if matches!(found, Found::Lost { .. }) {
                    node.known(truth::Node::lose);
                }
                let spool = Rc::new(RefCell::new(spool));
                match Keeper::start(node, fate, &spool) {
                    Ok(keeper) => return (spool, keeper),
                    Err(error) => node.note(format_args!("can't begin: {error}")),
                }
            }
            Err(error) => node.note(format_args!("can't open its spool: {error}")),
        }
        if node.disk.is_dead() {
            fate.end();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
