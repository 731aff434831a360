//! Two agents of this machine, two aggregators and a store.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use agent::spool::{Settings, Spool};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    stack::{Daemon, Place, free_port},
    store::{BUCKET, S3Server},
};

/// Of each kind.
pub(crate) const EACH: usize = 2;
const INTERVAL: &str = "500ms";
/// Of the first agent's spool, so that it can be filled.
const SPOOL_DISK: &str = "size=4m";
/// Windows from one commit to the next, with the one of the agent's end and one on its way.
const BETWEEN_COMMITS: usize = 6;
const DRAIN_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Cluster {
    pub(crate) place: Place,
    pub(crate) store: S3Server,
    pub(crate) agents: Vec<Option<Daemon>>,
    pub(crate) aggregators: Vec<Option<Daemon>>,
    pub(crate) ports: Vec<u16>,
    /// Of the aggregators, for metrics.
    pub(crate) status: Vec<u16>,
    agent: PathBuf,
    aggregator: PathBuf,
}

impl Cluster {
    pub(crate) fn start(directory: &Path, agent: &Path, aggregator: &Path) -> Result<Self> {
        let place = Place::make(directory)?;
        fs::create_dir_all(place.file("s3"))?;
        let mut cluster = Self {
            store: S3Server::start(&place.file("s3"))?,
            place,
            agents: (0..EACH).map(|_| None).collect(),
            aggregators: (0..EACH).map(|_| None).collect(),
            ports: (0..EACH).map(|_| free_port()).collect::<Result<_>>()?,
            status: (0..EACH).map(|_| free_port()).collect::<Result<_>>()?,
            agent: agent.to_owned(),
            aggregator: aggregator.to_owned(),
        };
        for number in 0..EACH {
            fs::create_dir_all(cluster.spool(number))?;
        }
        cluster.mount()?;
        for number in 0..EACH {
            cluster.start_aggregator(number)?;
        }
        for number in 0..EACH {
            cluster.start_agent(number, number)?;
        }
        Ok(cluster)
    }

    /// Where the tables are.
    pub(crate) fn url(&self) -> String {
        format!("s3://{BUCKET}/chaos")
    }

    /// Directory of an agent's spool.
    pub(crate) fn spool(&self, number: usize) -> PathBuf {
        self.place.file(&format!("agent-{number}"))
    }

    fn mount(&self) -> Result<()> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SPOOL_DISK, "tmpfs"]);
        let status = mount.arg(self.spool(0)).status().context("mounting")?;
        ensure!(status.success(), "mounting a small file system needs root");
        Ok(())
    }

    pub(crate) fn start_aggregator(&mut self, number: usize) -> Result<()> {
        let port = self.ports[number];
        let mut command = self.place.aggregator(&self.aggregator, &self.url(), port);
        command
            .args(["--commit-age", "2s"])
            // What takes hours in earnest: files are merged while others are committed.
            .args([
                "--care-every",
                "2s",
                "--care-span",
                "5s",
                "--care-settle",
                "0s",
            ])
            .args([
                "--status-listen",
                &format!("127.0.0.1:{}", self.status[number]),
            ])
            .envs(self.store.environment());
        let log = self.place.file(&format!("aggregator-{number}.log"));
        self.aggregators[number] = Some(Daemon::start(command, &log)?);
        Ok(())
    }

    /// Deletes what no table has named for some seconds, beside whatever else goes on.
    pub(crate) fn vacuum(&self) -> Result<Child> {
        let log = fs::File::create(self.place.file("vacuum.log"))?;
        let mut command = Command::new(&self.aggregator);
        command
            .args(["vacuum", "--keep", "5s", &self.url()])
            .envs(self.store.environment())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.spawn().context("starting a vacuum")
    }

    /// Starts an agent that sends to one of the aggregators.
    pub(crate) fn start_agent(&mut self, number: usize, aggregator: usize) -> Result<()> {
        let name = format!("agent-{number}");
        let mut command = Command::new(&self.agent);
        command
            .args(["run", "--host", "--interval", INTERVAL])
            .args(["--pins", &pins(number)])
            .arg("--state")
            .arg(self.place.file(&format!("state-{number}")))
            .env("PODLEDGER_AGENT_OUTPUT", "none")
            .env("NODE_NAME", &name)
            .env("CLUSTER_NAME", "chaos")
            .envs(self.place.agent_environment(self.ports[aggregator], &name));
        let log = self.place.file(&format!("{name}.log"));
        self.agents[number] = Some(Daemon::start(command, &log)?);
        Ok(())
    }

    /// Lets the agents send until nothing waits, then ends everything in order.
    pub(crate) fn drain(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            for number in 0..EACH {
                if !self.aggregators[number]
                    .as_mut()
                    .is_some_and(Daemon::is_alive)
                {
                    self.start_aggregator(number)?;
                }
            }
            // A commit, and the answer that tells it.
            thread::sleep(Duration::from_secs(8));
            for agent in self.agents.iter_mut().flatten() {
                if agent.is_alive() {
                    agent.stop(STOP_PATIENCE)?;
                }
            }
            let waiting = (0..EACH).map(|number| self.waiting(number));
            let waiting: Vec<usize> = waiting.collect::<Result<_>>()?;
            // What came since the last commit is committed at the aggregators' end.
            if waiting.iter().all(|batches| *batches <= BETWEEN_COMMITS) {
                break;
            }
            ensure!(
                began.elapsed() < DRAIN_PATIENCE,
                "batches still wait: {waiting:?}; the first agent says: {}",
                self.agents[0]
                    .as_ref()
                    .map(Daemon::last_words)
                    .unwrap_or_default()
            );
            for number in 0..EACH {
                self.start_agent(number, number)?;
            }
        }
        for aggregator in self.aggregators.iter_mut().flatten() {
            let status = aggregator.stop(STOP_PATIENCE)?;
            ensure!(
                status.success(),
                "an aggregator ended with {status}: {}",
                aggregator.last_words()
            );
        }
        Ok(())
    }

    /// Batches that no table has, as the agent knows.
    fn waiting(&self, number: usize) -> Result<usize> {
        let settings = Settings {
            file: self.spool(number).join("spool.redb"),
            max_bytes: u64::MAX,
            max_age: Duration::MAX,
        };
        let (spool, _) = Spool::open(settings)?;
        let batches = spool
            .waiting()
            .into_iter()
            .map(|waiting| waiting.last + 1 - waiting.first);
        Ok(usize::try_from(batches.sum::<u64>())?)
    }
}

/// Where an agent pins its maps.
fn pins(number: usize) -> String {
    format!("/sys/fs/bpf/podledger-chaos-{number}")
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.agents.clear();
        for number in 0..EACH {
            let state = self.place.file(&format!("state-{number}"));
            let mut uninstall = Command::new(&self.agent);
            uninstall
                .args(["uninstall", "--pins", &pins(number), "--state"])
                .arg(state);
            // Whatever is left is told by the next start.
            drop(uninstall.output());
        }
        drop(Command::new("umount").arg(self.spool(0)).status());
    }
}
