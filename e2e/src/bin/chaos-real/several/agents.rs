//! Many agents in one thread: real spools and shippers, made-up windows.

use std::{
    cell::RefCell,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use agent::{
    config::Config,
    health::Health,
    ship::{Settings, Shipper, Tally},
    spool::{self, Entry, Spool},
};
use aggregator::generate::FakeAgent;
use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use protocol::{Counts, Timestamp, encode_rows};
use tokio::{sync::Notify, task::LocalSet, time::interval};

use super::fleet::Fleet;

/// Agents.
pub(super) const MANY: u64 = 40;
const PODS: usize = 10;
const WINDOW: Duration = Duration::from_millis(500);
const WINDOW_US: i64 = 500_000;
/// From the last window to its commit.
const PATIENCE: Duration = Duration::from_secs(60);
const FAREWELL: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// So many spools on one disk would wait for nothing but it.
const MEMORY: &str = "/dev/shm";

/// See the module.
pub(super) struct Agents {
    /// Of the spools.
    directory: PathBuf,
    tallies: Vec<Tally>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<u64>>>,
}

impl Drop for Agents {
    fn drop(&mut self) {
        // It is in nobody's way until the machine is started again.
        drop(fs::remove_dir_all(&self.directory));
    }
}

impl Agents {
    pub(super) fn start(fleet: &Fleet) -> Result<Self> {
        let mut config = Config::default();
        config.aggregator.ca_file = fleet.place.file("ca.crt");
        config.aggregator.token_file = fleet.place.file("token");
        let url = format!("https://localhost:{}", fleet.port);
        let mut settings = Settings::new(&url, &config.aggregator)?;
        settings.lookup = Arc::new(fleet.names.clone());
        hurry(&mut settings);
        let directory = Path::new(MEMORY).join(format!("podledger-several-{}", std::process::id()));
        fs::create_dir_all(&directory)
            .with_context(|| format!("making {}", directory.display()))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, tallies) = mpsc::channel();
        let (spools, over) = (directory.clone(), Arc::clone(&is_over));
        let live = async move || {
            let set = LocalSet::new();
            let lives: Vec<_> = (0..MANY)
                .map(|number| {
                    let file = spools.join(format!("{number}.redb"));
                    let mut one = One::new(number, settings.clone(), file)?;
                    told.send(one.shipper.tally())?;
                    let over = Arc::clone(&over);
                    Ok(set.spawn_local(async move { one.live(&over).await }))
                })
                .collect::<Result<_>>()?;
            drop(told);
            set.await;
            let mut batches = 0;
            for life in lives {
                batches += life.await??;
            }
            Ok(batches)
        };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(live())
        });
        Ok(Self {
            directory,
            tallies: tallies.iter().collect(),
            is_over,
            thread: Some(thread),
        })
    }

    /// Where each of them is.
    pub(super) fn addresses(&self) -> Vec<Option<SocketAddr>> {
        let tallies = self.tallies.iter();
        tallies.map(|tally| tally.counts().address).collect()
    }

    /// All together.
    pub(super) fn moves(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.counts().moves).sum()
    }

    /// Waits until all that they have is committed. How many batches that were.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the agents have ended")?;
        let ended = thread.join();
        ended.map_err(|_| anyhow!("the agents panicked"))?
    }
}

/// What takes minutes in earnest takes seconds here.
fn hurry(settings: &mut Settings) {
    let limits = &mut settings.limits;
    limits.pace.ask_first = Duration::from_secs(1);
    limits.pace.ask_longest = Duration::from_secs(2);
    limits.pace.backoff_longest = Duration::from_secs(4);
    limits.spread.lookup_every = Duration::from_secs(1);
    limits.spread.lookup_soonest = Duration::from_millis(200);
    limits.spread.move_within = Duration::from_secs(2);
    limits.spread.rest_first = Duration::from_secs(2);
    limits.spread.rest_longest = Duration::from_secs(2);
}

/// What makes an agent's windows.
struct Source {
    agent: FakeAgent,
    spool: Rc<RefCell<Spool>>,
    grown: Rc<Notify>,
    end: Timestamp,
    seq: u64,
}

struct One {
    source: Source,
    shipper: Shipper,
}

impl One {
    fn new(number: u64, settings: Settings, file: PathBuf) -> Result<Self> {
        let agent = FakeAgent::new(number, PODS, WINDOW_US);
        let (spool, _) = Spool::open(spool::Settings {
            file,
            max_bytes: u64::MAX,
            max_age: Duration::from_secs(24 * 3600),
        })?;
        let (spool, grown) = (Rc::new(RefCell::new(spool)), Rc::new(Notify::new()));
        let queue = (Rc::clone(&spool), Rc::clone(&grown));
        let health = Health::new("aggregator");
        let shipper = Shipper::new(settings, agent.name.clone(), queue, health, number)?;
        let source = Source {
            agent,
            spool,
            grown,
            end: Timestamp::from_system(SystemTime::now()),
            seq: 0,
        };
        Ok(Self { source, shipper })
    }

    /// One window after the other, sent beside; at the end all that is left.
    async fn live(&mut self, is_over: &AtomicBool) -> Result<u64> {
        tokio::select! {
            () = self.shipper.run() => {}
            done = self.source.run(is_over) => done?,
        }
        self.shipper.drain(FAREWELL).await;
        Ok(self.source.seq)
    }
}

impl Source {
    /// Windows until it is over; then it waits for the last to be committed.
    async fn run(&mut self, is_over: &AtomicBool) -> Result<()> {
        let mut windows = interval(WINDOW);
        while !is_over.load(Ordering::Relaxed) {
            windows.tick().await;
            self.keep()?;
        }
        let committed = async {
            while !self.spool.borrow().waiting().is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, committed).await;
        done.with_context(|| format!("{}: batches still wait", self.agent.name))
    }

    fn keep(&mut self) -> Result<()> {
        self.seq += 1;
        self.end = self.end.plus_us(WINDOW_US);
        let rows = self.agent.rows(self.end);
        let mut counts = Counts::default();
        rows.iter().for_each(|row| counts[row.table()] += 1);
        let header = self.agent.header(self.seq, self.end, None);
        let mut spool = self.spool.borrow_mut();
        if self.seq == 1 {
            spool.begin(&header)?;
        }
        let frame = Bytes::from(encode_rows(&header, &rows));
        let entry = Entry {
            header,
            rows: counts,
            frame,
        };
        spool.keep(&[entry], None)?;
        self.grown.notify_one();
        Ok(())
    }
}
