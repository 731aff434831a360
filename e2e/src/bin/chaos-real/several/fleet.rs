//! The aggregators behind one name: each has an address of its own, as pods have.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    ops::Sub,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use agent::ship::lookup::Lookup;
use anyhow::{Context as _, Result, ensure};
use e2e::{
    stack::{Daemon, Place, free_port},
    store::{BUCKET, S3Server},
};
use futures_util::future::BoxFuture;

use crate::metrics;

const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// What DNS would say.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    fn get(&self) -> Vec<SocketAddr> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<SocketAddr>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Lookup for Names {
    fn addresses(&self, _: &str, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::ready(Ok(self.get())))
    }
}

/// What the writers tell.
#[derive(Clone, Copy, Default)]
pub(super) struct Figures {
    pub(super) entries: u64,
    pub(super) conflicts: u64,
}

impl Sub for Figures {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            entries: self.entries - before.entries,
            conflicts: self.conflicts - before.conflicts,
        }
    }
}

struct Member {
    daemon: Daemon,
    address: SocketAddr,
    status: u16,
}

/// See the module.
pub(super) struct Fleet {
    pub(super) place: Place,
    pub(super) store: S3Server,
    pub(super) names: Names,
    pub(super) port: u16,
    binary: PathBuf,
    /// The oldest first.
    members: Vec<Member>,
    started: u8,
    /// Of each that ever was, as last told.
    told: BTreeMap<SocketAddr, Figures>,
}

impl Fleet {
    /// One aggregator.
    pub(super) fn start(binary: &Path, directory: &Path) -> Result<Self> {
        let place = Place::make(directory)?;
        fs::create_dir_all(place.file("s3"))?;
        let mut fleet = Self {
            store: S3Server::start(&place.file("s3"))?,
            place,
            names: Names::default(),
            port: free_port()?,
            binary: binary.to_owned(),
            members: Vec::new(),
            started: 0,
            told: BTreeMap::new(),
        };
        fleet.grow()?;
        Ok(fleet)
    }

    /// Where the tables are.
    pub(super) fn url(&self) -> String {
        format!("s3://{BUCKET}/several")
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Of those that are told.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.names.get()
    }

    /// One more, told as soon as it listens.
    pub(super) fn grow(&mut self) -> Result<()> {
        self.started += 1;
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 1, self.started), self.port));
        let status = free_port()?;
        let mut command = self.place.aggregator_at(&self.binary, &self.url(), address);
        command
            .args(["--commit-age", "2s"])
            .args(["--status-listen", &format!("127.0.0.1:{status}")])
            .envs(self.store.environment());
        let log = self.place.file(&format!("aggregator-{}.log", self.started));
        let mut daemon = Daemon::start(command, &log)?;
        daemon.await_address(address)?;
        self.members.push(Member {
            daemon,
            address,
            status,
        });
        self.names.change(|names| names.push(address));
        Ok(())
    }

    /// Kills the oldest; its address is still told.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.figures()?;
        ensure!(!self.members.is_empty(), "nobody is left");
        self.members.remove(0).daemon.kill();
        Ok(())
    }

    /// Who is dead is not told any more.
    pub(super) fn notice(&self) {
        let is_alive = |address: &SocketAddr| {
            let mut members = self.members.iter();
            members.any(|member| member.address == *address)
        };
        self.names.change(|names| names.retain(is_alive));
    }

    /// Ends the oldest in order, as an update does.
    pub(super) fn retire(&mut self) -> Result<()> {
        self.figures()?;
        ensure!(!self.members.is_empty(), "nobody is left");
        let mut oldest = self.members.remove(0);
        self.notice();
        let status = oldest.daemon.stop(STOP_PATIENCE)?;
        ensure!(
            status.success(),
            "an aggregator ended with {status}: {}",
            oldest.daemon.last_words()
        );
        Ok(())
    }

    /// Of all that ever were.
    pub(super) fn figures(&mut self) -> Result<Figures> {
        for member in &self.members {
            let page = metrics::page(member.status)?;
            let figure = |name| {
                let figure = metrics::figure(&page, name);
                figure.with_context(|| format!("the aggregator tells no {name}"))
            };
            let figures = Figures {
                entries: figure("podledger_aggregator_log_entries_total ")?,
                conflicts: figure("podledger_aggregator_conflicts_total ")?,
            };
            self.told.insert(member.address, figures);
        }
        let sum = |of: fn(&Figures) -> u64| self.told.values().map(of).sum();
        Ok(Figures {
            entries: sum(|one| one.entries),
            conflicts: sum(|one| one.conflicts),
        })
    }
}
