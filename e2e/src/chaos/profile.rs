//! How wild a world is. Each seed chooses: a world in which everything fails at once finds other errors
//! than a calm one in which a single thing fails.

use super::random::Random;

/// Chances, each in 10,000.
#[derive(Clone, Copy, Debug, Default)]
pub struct Store {
    /// A request is refused before it did anything: 500, 503, 409.
    pub refuse: u32,
    /// It does its work, and its answer is lost.
    pub forget: u32,
    /// A put lands long after its answer timed out.
    pub late: u32,
    /// A put never lands, its answer times out.
    pub never: u32,
    /// The client's own retry meets what its first attempt wrote.
    pub again: u32,
    /// The writer dies at the moment of a request.
    pub deadly: u32,
    /// Longest usual time for a request, in milliseconds.
    pub slowness: u64,
}

/// Chances, each in 10,000, for a request of an agent.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The request is lost.
    pub lose_request: u32,
    /// The answer is lost.
    pub lose_answer: u32,
    /// A copy arrives later, at the same aggregator or another.
    pub repeat: u32,
    /// The agent moves to another aggregator, for no reason.
    pub wander: u32,
    /// The token is not believed for a time.
    pub refuse: u32,
    /// The aggregator has no room, it says.
    pub busy: u32,
    /// Longest usual time of a way, in milliseconds.
    pub slowness: u64,
}

/// Chances, each in 10,000, for a disk at a crash of its agent.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// The power fails too.
    pub power: u32,
    /// The whole disk is lost.
    pub lost: u32,
    /// Some bits are spoilt.
    pub spoilt: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Agents.
    pub agents: usize,
    /// Aggregators at most alive at once.
    pub aggregators: usize,
    /// Whether their number changes all the time, and the agents follow the names.
    pub scales: bool,
    /// Windows of each agent.
    pub windows: u64,
    /// Length of a window, in milliseconds.
    pub window_ms: u64,
    /// Of the store.
    pub store: Store,
    /// Of the network.
    pub network: Network,
    /// Of the agents' disks.
    pub disk: Disk,
    /// Mean time between two disasters, in milliseconds.
    pub disaster_ms: u64,
    /// Polls after which a life may end of itself, at most; 0 for never.
    pub polls: u64,
    /// What a spool may hold, in bytes.
    pub spool_bytes: u64,
    /// Chance that a batch is never taken by anybody.
    pub refused: u32,
    /// Aggregators commit what they have held for so long, in milliseconds.
    pub commit_ms: u64,
    /// Longest pause between two rounds of an aggregator's care for the tables, in milliseconds; 0 for no care.
    pub care_ms: u64,
    /// How long files are kept for readers, in seconds.
    pub readers_s: u64,
    /// How long logs tell their history, in seconds.
    pub history_s: u64,
    /// Whether files are Parquet, as in production.
    pub is_parquet: bool,
    /// Whether clocks jump.
    pub clocks_jump: bool,
    /// Whether disks fail while an agent runs.
    pub disks_fail: bool,
}

impl Profile {
    /// Of this seed.
    pub fn draw(random: &mut Random) -> Self {
        let polls = match random.below(3) {
            0 => 0,
            1 => 3_000,
            _ => 300,
        };
        let clocks_jump = random.chance(5_000);
        // The judge has to read a log before it is cleaned: no clock may jump so far.
        let history_s = match clocks_jump {
            true => 30 * 24 * 3600,
            false => *random.pick(&[120, 600]).unwrap_or(&600),
        };
        Self {
            agents: usize::try_from(random.between(1, 4)).unwrap_or(1),
            aggregators: usize::try_from(random.between(1, 3)).unwrap_or(1),
            scales: false,
            windows: random.between(8, 24),
            window_ms: *random.pick(&[5_000, 30_000]).unwrap_or(&30_000),
            store: Store::draw(random),
            network: Network::draw(random),
            disk: Disk::draw(random),
            disaster_ms: *random.pick(&[5_000, 15_000, 60_000]).unwrap_or(&15_000),
            polls,
            spool_bytes: *random
                .pick(&[3_000, 10_000, 1_000_000, 1_000_000])
                .unwrap_or(&1_000_000),
            refused: Self::wildness(random, 300),
            commit_ms: *random.pick(&[2_000, 10_000, 30_000]).unwrap_or(&30_000),
            care_ms: *random.pick(&[0, 5_000, 60_000]).unwrap_or(&0),
            readers_s: *random.pick(&[0, 5, 120]).unwrap_or(&0),
            history_s,
            is_parquet: random.chance(1_000),
            clocks_jump,
            disks_fail: random.chance(4_000),
        }
    }

    /// Spools overflow all the time, while other aggregators hold what becomes a gap, and die between two
    /// tables.
    pub fn narrow(&mut self) {
        self.agents = self.agents.max(3);
        self.aggregators = 3;
        self.window_ms = 5_000;
        self.commit_ms = 10_000;
        self.spool_bytes = 1_500;
        self.store.deadly = 200;
        self.network.wander = 3_000;
        self.network.lose_answer = 3_000;
    }

    /// The number of aggregators changes in some worlds. What is drawn for it moves nothing else.
    pub fn scale(&mut self, random: &mut Random) {
        self.scales = random.chance(2_000);
        if self.scales {
            self.aggregators = super::fleet::MOST;
        }
    }

    /// Nothing, little, or as much as `most`: each is a third of all worlds.
    fn wildness(random: &mut Random, most: u32) -> u32 {
        match random.below(3) {
            0 => 0,
            1 => most / 10,
            _ => most,
        }
    }
}

impl Store {
    fn draw(random: &mut Random) -> Self {
        Self {
            refuse: Profile::wildness(random, 2_000),
            forget: Profile::wildness(random, 1_500),
            late: Profile::wildness(random, 800),
            never: Profile::wildness(random, 300),
            again: Profile::wildness(random, 800),
            deadly: Profile::wildness(random, 200),
            slowness: *random.pick(&[10, 50, 500]).unwrap_or(&10),
        }
    }
}

impl Network {
    fn draw(random: &mut Random) -> Self {
        Self {
            lose_request: Profile::wildness(random, 2_000),
            lose_answer: Profile::wildness(random, 2_000),
            repeat: Profile::wildness(random, 3_000),
            wander: Profile::wildness(random, 2_000),
            refuse: Profile::wildness(random, 300),
            busy: Profile::wildness(random, 500),
            slowness: *random.pick(&[5, 50, 3_000]).unwrap_or(&5),
        }
    }
}

impl Disk {
    fn draw(random: &mut Random) -> Self {
        Self {
            power: *random.pick(&[0, 5_000, 10_000]).unwrap_or(&0),
            lost: Profile::wildness(random, 1_000),
            spoilt: Profile::wildness(random, 500),
        }
    }
}
