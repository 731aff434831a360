//! The ledger of one node: every cgroup's account, and the rows of each window. Pure: readings and
//! events go in, rows come out.

mod close;
mod pods;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use agent_common::{
    cpu::CpuUsage,
    loss::LOSSES,
    network::{CLASSES, Traffic},
};
use protocol::{Event, EventKind, Origin, Timestamp};

use super::{
    account::{Account, Life},
    balance::{Totals, signed},
    baseline::{Baseline, KnownCgroup},
    counters::Counters,
    known::Known,
    node::NodeLedger,
    oom::Kill,
    pod::Pod,
    rows,
};
use crate::{
    cgroups::{Cgroup, CpuStat, pod_path},
    kernel::{CgroupEvent, CgroupEventKind, Snapshot, Sources},
};

/// What is read at the end of a window.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// The kernel's counters.
    pub snapshot: &'a Snapshot,
    /// `cpu.stat` of those cgroups that have one.
    pub stats: &'a HashMap<u64, CpuStat>,
    /// Which sources run.
    pub sources: &'a Sources,
    /// What the agent itself could not take in since the last window, by name.
    pub losses: &'a [(&'static str, u64)],
    /// What others know.
    pub known: &'a Known<'a>,
}

/// See the module.
#[derive(Debug)]
pub struct Ledger {
    origin: Origin,
    accounts: BTreeMap<u64, Account>,
    /// Whether cgroups of pods become rows of pods.
    by_pods: bool,
    /// By the uid that their cgroups carry.
    pods: BTreeMap<Arc<str>, Pod>,
    /// Pods that got their last row, while the kubelet still tells of them.
    closed: HashSet<Arc<str>>,
    /// Cgroups whose windows are their pod's, but the kernel was not told.
    unlinked: Vec<u64>,
    node: NodeLedger,
    totals: Totals,
    in_flight: [i64; 5],
    losses: [u64; LOSSES],
    window_start: Timestamp,
    started_ns: u64,
    events: Vec<Event>,
}

impl Ledger {
    /// Begins at `now`, `now_ns` on the boot clock, with counters that begin at zero.
    pub fn new(origin: Origin, now: Timestamp, now_ns: u64) -> Self {
        Self {
            origin,
            accounts: BTreeMap::new(),
            by_pods: false,
            pods: BTreeMap::new(),
            closed: HashSet::new(),
            unlinked: Vec::new(),
            node: NodeLedger::default(),
            totals: Totals::default(),
            in_flight: [0; 5],
            losses: [0; LOSSES],
            window_start: now,
            started_ns: now_ns,
            events: Vec::new(),
        }
    }

    /// Who writes the rows.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Rows are of this epoch from now on, the next window's with this seq.
    pub fn begin_epoch(&mut self, epoch: String, next_seq: u64) {
        self.origin.epoch = epoch;
        self.origin.seq = next_seq.saturating_sub(1);
    }

    /// Makes one row of each pod, instead of one of each of its cgroups.
    pub fn by_pods(&mut self) {
        self.by_pods = true;
    }

    /// Goes on where an earlier agent's last row ended. Returns the cgroups whose last counters are
    /// in the baseline: the kernel's copies are not needed any more.
    pub fn resume(&mut self, baseline: Baseline) -> Vec<u64> {
        let released = baseline.released();
        self.totals = baseline.totals;
        self.in_flight = baseline.in_flight;
        self.losses = baseline.losses;
        self.events = baseline.events;
        self.window_start = Timestamp {
            unix_us: baseline.window_end_us,
        };
        self.started_ns = baseline.window_end_ns;
        self.node = baseline.node;
        if self.by_pods {
            let pods = baseline.pods.into_iter();
            self.pods = pods.map(|(uid, pod)| (uid.into(), pod)).collect();
            self.closed = baseline.closed.into_iter().map(Into::into).collect();
        }
        for known in baseline.cgroups {
            let mut account = Account::new(None);
            account.current = known.last.clone().unwrap_or_else(|| known.reported.clone());
            account.reported = known.reported;
            account.stat = known.stat;
            account.oom_kills = known.oom_kills;
            account.life = match (known.last, known.removed_ns) {
                (Some(_), _) => Life::Released,
                (None, Some(quiet_since_ns)) => Life::Removed {
                    told: true,
                    quiet_since_ns,
                },
                (None, None) => Life::Alive,
            };
            self.accounts.insert(known.id, account);
            if let Some(path) = known.path {
                self.name(known.id, path);
            }
        }
        released
    }

    /// Takes everything counted so far as told: nobody knows what an earlier agent's rows held.
    pub fn skip_to(&mut self, snapshot: &Snapshot) {
        self.totals = Totals::new(snapshot);
        self.losses = snapshot.losses;
        self.observe(snapshot);
        for account in self.accounts.values_mut() {
            account.reported = account.current.clone();
        }
    }

    /// CPU time is counted from zero again.
    pub fn begin_cpu_anew(&mut self) {
        self.totals.total[0] = 0;
        self.totals.unattributed[0] = 0;
        for account in self.accounts.values_mut() {
            account.reported.run_ns = 0;
            account.current.run_ns = 0;
        }
    }

    /// What an agent needs to go on from here.
    pub fn baseline(&self) -> Baseline {
        let known = |(id, account): (&u64, &Account)| KnownCgroup {
            id: *id,
            path: account.path.clone(),
            reported: account.reported.clone(),
            last: (account.life == Life::Released).then(|| account.current.clone()),
            stat: account.stat,
            oom_kills: account.oom_kills,
            removed_ns: match account.life {
                Life::Removed { quiet_since_ns, .. } => Some(quiet_since_ns),
                Life::Alive | Life::Released => None,
            },
        };
        Baseline {
            totals: self.totals,
            in_flight: self.in_flight,
            losses: self.losses,
            events: self.events.clone(),
            pods: self
                .pods
                .iter()
                .map(|(uid, pod)| (uid.to_string(), pod.clone()))
                .collect(),
            closed: self.closed.iter().map(ToString::to_string).collect(),
            node: self.node.clone(),
            window_end_us: self.window_start.unix_us,
            window_end_ns: self.started_ns,
            cgroups: self.accounts.iter().map(known).collect(),
        }
    }

    /// Names the cgroups that exist. One that is known but exists no more was removed unseen.
    pub fn on_listing(&mut self, listing: &[Cgroup], now_ns: u64) {
        let listed: HashMap<u64, &str> = listing
            .iter()
            .map(|cgroup| (cgroup.id, cgroup.path.as_str()))
            .collect();
        for (id, path) in &listed {
            let account = self
                .accounts
                .entry(*id)
                .or_insert_with(|| Account::new(None));
            // What is listed exists: an earlier listing was incomplete.
            if matches!(account.life, Life::Removed { .. }) {
                account.life = Life::Alive;
            }
            if account.path.as_deref() != Some(path) {
                self.name(*id, (*path).to_owned());
            }
        }
        for (id, account) in &mut self.accounts {
            // Id 0 stands for packets without a cgroup.
            if *id != 0 && account.life == Life::Alive && !listed.contains_key(id) {
                account.life = Life::Removed {
                    told: false,
                    quiet_since_ns: now_ns,
                };
            }
        }
    }

    /// Takes note of a step in a cgroup's life.
    pub fn on_cgroup(&mut self, event: CgroupEvent) {
        let is_known = self.accounts.contains_key(&event.cgroup_id);
        let account = self
            .accounts
            .entry(event.cgroup_id)
            .or_insert_with(|| Account::new(None));
        if event.kind == CgroupEventKind::Born {
            account.stat = Some(CpuStat::default());
        }
        if event.kind == CgroupEventKind::Removed && account.life == Life::Alive {
            account.life = Life::Removed {
                told: false,
                quiet_since_ns: event.at_ns,
            };
        }
        if event.kind == CgroupEventKind::Released && !is_known {
            // It was closed when it had been quiet for long, or all of its life was lost. Its pod may
            // have its last row, and gets no other unless there is something to tell.
            account.path = Some(event.path).filter(|path| !path.is_empty());
            return;
        }
        // Removals tell the path as well: a lost birth costs no name.
        if account.path.is_none() && !event.path.is_empty() {
            self.name(event.cgroup_id, event.path);
            if event.kind == CgroupEventKind::Born {
                self.begin_io(event.cgroup_id);
            }
        }
    }

    /// Takes the last counters of a cgroup to which nothing can be charged any more.
    pub fn on_released(&mut self, id: u64, cpu: Option<CpuUsage>, network: &[Traffic; CLASSES]) {
        let account = self
            .accounts
            .entry(id)
            .or_insert_with(|| Account::new(None));
        // The kernel has no entry when there was none, or an earlier agent took it.
        if cpu.is_some() || network.iter().any(|class| *class != Traffic::default()) {
            account.current = Counters::new(cpu.as_ref(), Some(network));
        }
        account.cpu = cpu.or(account.cpu);
        account.life = Life::Released;
        if account.pod.is_some() {
            return;
        }
        let has_row = !account.current.is_zero() || account.oom_kills > 0;
        match account.path.clone() {
            _ if !has_row => drop(self.accounts.remove(&id)),
            Some(path) => self.name(id, path),
            None => {}
        }
    }

    /// Takes note of a finished OOM kill.
    pub fn on_kill(&mut self, kill: &Kill, at: Timestamp) {
        // One that has not ended is in no cgroup that could be told yet.
        let has_ended = kill.cgroup_id != 0;
        let account = self.accounts.get_mut(&kill.cgroup_id).filter(|_| has_ended);
        let (mut path, mut pod) = (None, None);
        if let Some(account) = account {
            account.oom_kills += u64::from(kill.is_kill());
            (path, pod) = (account.path.clone(), account.pod.clone());
        }
        let container = pod
            .is_some()
            .then(|| path.as_deref().and_then(container_id))
            .flatten();
        let name = || match &pod {
            Some(uid) => uid.to_string(),
            None => rows::identity(kill.cgroup_id, path.as_deref()).0,
        };
        self.events.push(Event {
            pod_id: has_ended.then(name),
            container,
            incident: Some(kill.incident),
            outcome: Some(kill.outcome_name().to_owned()),
            pid: Some(i64::from(kill.pid)),
            comm: has_ended.then(|| kill.comm.clone()),
            peak_rss_bytes: kill.peak_rss_bytes.map(signed),
            allocator_pid: Some(i64::from(kill.allocator_pid)),
            cgroup_id: has_ended.then(|| signed(kill.cgroup_id)),
            ..self.event(EventKind::OomKill, at, kill.message())
        });
    }

    /// Takes note that counters of some span of time are not in the ledger.
    pub fn on_gap(&mut self, reason: String, at: Timestamp) {
        self.events.push(self.event(EventKind::Gap, at, reason));
    }

    fn event(&self, kind: EventKind, timestamp: Timestamp, message: String) -> Event {
        Event {
            timestamp,
            kind,
            message,
            origin: self.origin.clone(),
            ..Event::default()
        }
    }

    /// The path of a cgroup.
    pub fn path(&self, id: u64) -> Option<&str> {
        self.accounts.get(&id)?.path.as_deref()
    }

    /// How many cgroups wait for their last row.
    pub fn released(&self) -> usize {
        self.accounts
            .values()
            .filter(|account| account.life == Life::Released)
            .count()
    }

    /// Cgroups that exist and ran since the last row, with their paths: others can't be throttled.
    /// A pod's own cgroup may be, when one of its containers ran.
    pub fn charged(&self) -> impl Iterator<Item = (u64, &str)> {
        let ran = |account: &Account| account.current.run_ns != account.reported.run_ns;
        let pods: HashSet<u64> = self
            .accounts
            .values()
            .filter(|account| ran(account))
            .filter_map(|account| self.pods.get(account.pod.as_ref()?)?.cgroup_id)
            .collect();
        self.accounts.iter().filter_map(move |(id, account)| {
            let charged = account.life == Life::Alive && (ran(account) || pods.contains(id));
            Some((*id, account.path.as_deref()?)).filter(|_| charged)
        })
    }

    /// Cgroups with counters but without a name.
    pub fn has_nameless(&self) -> bool {
        self.accounts
            .iter()
            .any(|(id, account)| *id != 0 && account.path.is_none())
    }

    /// Removed cgroups that have been quiet for long enough to be closed.
    pub fn quiet(&self, now_ns: u64) -> Vec<u64> {
        let quiet = |(id, account): (&u64, &Account)| account.is_quiet(now_ns).then_some(*id);
        self.accounts.iter().filter_map(quiet).collect()
    }
}

/// The container that a cgroup's path tells of.
fn container_id(path: &str) -> Option<String> {
    pod_path(path)?.container.map(str::to_owned)
}

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod pod_figures_tests;
#[cfg(test)]
mod pod_life_tests;
#[cfg(test)]
mod pod_scene;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk_tests;
#[cfg(test)]
mod walk_world;
