//! One run: a world is made of a seed, lives, heals, drains, and is judged.

use std::{rc::Rc, sync::Arc, time::Duration};

use object_store::path::Path;
use tokio::task::LocalSet;

use super::{
    aggregator::Place,
    check::{Judge, Verdict},
    disasters::Victims,
    fleet::Fleet,
    network::Network,
    node::Node,
    os,
    store::bucket::Bucket,
    truth::Truth,
    world::World,
};
use crate::disk::Mood;

/// By then everything must be committed and deleted, after the world has healed.
const DRAINED: Duration = Duration::from_secs(4 * 3600);
/// Between two looks at the tables while it drains.
const LOOK: Duration = Duration::from_secs(10);

/// What came out of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Crashes of agents and aggregators.
    pub crashes: u64,
    /// What was lost and what was duplicated.
    pub verdict: Verdict,
    /// Every invariant that did not hold.
    pub problems: Vec<String>,
    /// The same for each run of a seed.
    pub trace: u64,
    /// Things that happened.
    pub events: u64,
    /// Batches that the agents kept.
    pub batches: u64,
    /// What the store was asked.
    pub requests: u64,
    /// Time that passed in the world.
    pub span: Duration,
}

impl Outcome {
    /// Nothing was lost, nothing was duplicated, and no invariant broke.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.verdict == Verdict::default()
    }
}

/// Runs the world of a seed.
pub fn run(seed: u64, is_told: bool) -> Outcome {
    let world = move || World::new(seed, is_told);
    match alone(seed, move || live(seed, world())) {
        Ok(outcome) => outcome,
        Err(problem) => Outcome {
            seed,
            problems: vec![problem],
            ..Outcome::default()
        },
    }
}

/// Runs something on a thread of its own: a world's clock and its random numbers are the thread's.
pub(super) fn alone<T, F>(seed: u64, work: impl FnOnce() -> F + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let on_thread = move || {
        os::enter(seed, World::first_moment());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|error| format!("no runtime: {error}"))?;
        Ok(LocalSet::new().block_on(&runtime, async { work().await }))
    };
    let thread = std::thread::Builder::new().name(format!("seed {seed}"));
    let ran = thread
        .spawn(on_thread)
        .map_err(|error| format!("no thread: {error}"))?;
    ran.join()
        .unwrap_or_else(|_| Err("a part of the world panicked".to_owned()))
}

/// Everybody and everything of a world.
pub(super) struct Stage {
    pub(super) world: Arc<World>,
    pub(super) bucket: Arc<Bucket>,
    pub(super) judge: Judge,
    truth: Arc<Truth>,
    nodes: Vec<Rc<Node>>,
}

async fn live(seed: u64, world: Arc<World>) -> Outcome {
    let mut stage = Stage::set(world);
    stage.trouble().await;
    stage.heal();
    stage.drain().await;
    let verdict = stage.judge.end();
    let (trace, events) = stage.world.trace();
    Outcome {
        seed,
        crashes: stage.world.crashes(),
        verdict,
        problems: stage.world.problems(),
        trace,
        events,
        batches: stage.batches(),
        requests: stage.bucket.requests(),
        span: stage.world.elapsed(),
    }
}

impl Stage {
    /// Everybody begins.
    pub(super) fn set(world: Arc<World>) -> Self {
        world.note(format_args!("{:?}", world.profile));
        let truth = Truth::new(&world, world.profile.agents);
        let network = Network::new(&world, world.profile.aggregators);
        let bucket = Arc::new(Bucket::default());
        let prefix = Path::from("ledger");
        let judge = Judge::new(&world, &bucket, &truth, &prefix);
        let node = |index| Rc::new(Node::new(index, &world, &truth, &network));
        let nodes: Vec<_> = (0..world.profile.agents).map(node).collect();
        let place = |door| Arc::new(Place::new(door, &world, &network, &bucket, &prefix));
        let places: Vec<_> = (0..world.profile.aggregators).map(place).collect();
        for node in &nodes {
            tokio::task::spawn_local(Rc::clone(node).run());
        }
        for place in &places {
            tokio::task::spawn_local(Arc::clone(place).run());
        }
        if world.profile.scales {
            let fleet = Fleet {
                world: Arc::clone(&world),
                network: Arc::clone(&network),
                places: places.clone(),
            };
            tokio::task::spawn_local(fleet.run());
        }
        let victims = Victims {
            world: Arc::clone(&world),
            network,
            nodes: nodes.clone(),
            places,
        };
        tokio::task::spawn_local(victims.suffer());
        Self {
            world,
            bucket,
            judge,
            truth,
            nodes,
        }
    }

    /// The time in which everything may fail; the tables are looked at in between.
    pub(super) async fn trouble(&mut self) {
        let profile = &self.world.profile;
        let end = Duration::from_millis(profile.windows * profile.window_ms);
        while self.world.elapsed() < end && !self.world.is_broken() {
            let most = self.world.profile.window_ms * 2;
            let pause = self.world.draw(|random| random.magnitude(10, most));
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.judge.look();
        }
    }

    pub(super) fn heal(&self) {
        self.world.heal();
        self.truth.stop();
        self.nodes
            .iter()
            .for_each(|node| node.set_mood(Mood::Works));
    }

    /// I9: everything gets to the tables, and out of the spools.
    pub(super) async fn drain(&mut self) {
        let end = self.world.elapsed() + DRAINED;
        while !self.is_drained() {
            if self.world.elapsed() > end {
                self.world
                    .problem(format!("I9: not drained {DRAINED:?} after all is well"));
                return;
            }
            tokio::time::sleep(LOOK).await;
            self.judge.follow();
        }
    }

    fn is_drained(&self) -> bool {
        (0..self.nodes.len()).all(|node| self.truth.with(node, |node| node.is_drained))
    }

    fn batches(&self) -> u64 {
        let of = |node| self.truth.with(node, |node| node.kept.len() as u64);
        (0..self.nodes.len()).map(of).sum()
    }
}
