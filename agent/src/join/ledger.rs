//! The ledger of one node: every cgroup's account, and the rows of each window. Pure: readings and
//! events go in, rows come out.

use std::collections::{BTreeMap, HashMap};

use agent_common::{
    cpu::CpuUsage,
    loss::{LOSS_NAMES, LOSSES},
    network::{CLASSES, Traffic},
};
use protocol::{Event, EventKind, Origin, Reconcile, Row, Timestamp};

use super::{
    account::{Account, Life},
    balance::{Totals, signed},
    baseline::{Baseline, KnownCgroup},
    counters::Counters,
    oom::Kill,
    rows::{self, Window},
};
use crate::{
    cgroups::{Cgroup, CpuStat},
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
}

/// See the module.
#[derive(Debug)]
pub struct Ledger {
    origin: Origin,
    accounts: BTreeMap<u64, Account>,
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
            totals: Totals::default(),
            in_flight: [0; 5],
            losses: [0; LOSSES],
            window_start: now,
            started_ns: now_ns,
            events: Vec::new(),
        }
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
        for known in baseline.cgroups {
            let mut account = Account::new(known.path);
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
            account.path = Some((*path).to_owned());
            // What is listed exists: an earlier listing was incomplete.
            if matches!(account.life, Life::Removed { .. }) {
                account.life = Life::Alive;
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
        let account = self
            .accounts
            .entry(event.cgroup_id)
            .or_insert_with(|| Account::new(None));
        // Removals tell the path as well: a lost birth costs no name.
        if account.path.is_none() && !event.path.is_empty() {
            account.path = Some(event.path);
        }
        if event.kind == CgroupEventKind::Born {
            account.stat = Some(CpuStat::default());
        }
        if event.kind == CgroupEventKind::Removed && account.life == Life::Alive {
            account.life = Life::Removed {
                told: false,
                quiet_since_ns: event.at_ns,
            };
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
    }

    /// Takes note of a finished OOM kill.
    pub fn on_kill(&mut self, kill: &Kill, at: Timestamp) {
        // One that has not ended is in no cgroup that could be told yet.
        let has_ended = kill.cgroup_id != 0;
        let account = self.accounts.get_mut(&kill.cgroup_id).filter(|_| has_ended);
        let path = account.and_then(|account| {
            account.oom_kills += u64::from(kill.is_kill());
            account.path.clone()
        });
        let name = || rows::identity(kill.cgroup_id, path.as_deref()).0;
        self.events.push(Event {
            pod_id: has_ended.then(name),
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
            pod_id: None,
            message,
            incident: None,
            outcome: None,
            pid: None,
            comm: None,
            peak_rss_bytes: None,
            allocator_pid: None,
            cgroup_id: None,
            origin: self.origin.clone(),
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
    pub fn charged(&self) -> impl Iterator<Item = (u64, &str)> {
        self.accounts.iter().filter_map(|(id, account)| {
            let charged =
                account.life == Life::Alive && account.current.run_ns != account.reported.run_ns;
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

    /// Takes a reading into the accounts.
    pub fn observe(&mut self, snapshot: &Snapshot) {
        for id in snapshot.cpu.keys().chain(snapshot.network.keys()) {
            let account = self
                .accounts
                .entry(*id)
                .or_insert_with(|| Account::new(None));
            if account.life != Life::Released {
                let (cpu, network) = (snapshot.cpu.get(id), snapshot.network.get(id));
                account.current = Counters::new(cpu, network);
                account.cpu = cpu.copied();
            }
        }
    }

    /// Ends the window: the rows of everything that came since the last one. Call after
    /// [`Ledger::observe`] with the same snapshot.
    pub fn close(&mut self, reading: &Reading<'_>) -> Vec<Row> {
        self.origin.seq += 1;
        let snapshot = reading.snapshot;
        let length_ns = snapshot.at_ns.saturating_sub(self.started_ns);
        let losses: [u64; LOSSES] =
            std::array::from_fn(|i| snapshot.losses[i].saturating_sub(self.losses[i]));
        let origin = self.origin.clone();
        let window = Window {
            origin: &origin,
            start: self.window_start,
            end: window_end(self.window_start, length_ns, reading.now),
            length_ns,
            row_window: snapshot.row_window,
            lost_events: losses.iter().sum(),
            online_cpus: snapshot.online_cpus,
            sources: reading.sources,
        };
        let (mut rows, sums) = self.account_rows(&window, reading.stats, snapshot.at_ns);
        let totals = Totals::new(snapshot);
        let difference = totals.since(&self.totals);
        let balance = difference.balance(&sums, &mut self.in_flight);
        if difference.unattributed != [0; 5] {
            rows.push(rows::unattributed(&window, &difference.unattributed));
        }
        rows.extend(self.take_events(&origin));
        rows.push(reconcile(
            &window,
            &rows,
            balance,
            &all_losses(losses, reading.losses),
        ));
        self.totals = totals;
        self.losses = snapshot.losses;
        self.started_ns = snapshot.at_ns;
        self.window_start = window.end;
        rows
    }

    fn account_rows(
        &mut self,
        window: &Window<'_>,
        stats: &HashMap<u64, CpuStat>,
        now_ns: u64,
    ) -> (Vec<Row>, [u64; 5]) {
        let mut found = Vec::new();
        let mut sums = [0; 5];
        self.accounts.retain(|id, account| {
            let unreported = account.unreported();
            let stat = stats.get(id).copied();
            if let Some(closing) = account.row(&unreported) {
                found.extend(rows::rows(
                    window,
                    *id,
                    account,
                    stat,
                    (&unreported, closing),
                ));
                add(&mut sums, &unreported);
            }
            account.stat = stat.or(account.stat);
            account.settle(&unreported, now_ns)
        });
        (found, sums)
    }

    fn take_events(&mut self, origin: &Origin) -> Vec<Row> {
        let mut events = std::mem::take(&mut self.events);
        for event in &mut events {
            event.origin = origin.clone();
        }
        events.into_iter().map(Row::Events).collect()
    }
}

/// The end of a window: the wall clock. When that was set back, rows would overlap: windows are
/// told at half their length then, until the clock has caught up.
fn window_end(start: Timestamp, length_ns: u64, now: Timestamp) -> Timestamp {
    now.max(start.plus_us(signed(length_ns / 2000)))
}

/// What was lost, in the kernel and in the agent, by name.
fn all_losses(kernel: [u64; LOSSES], agent: &[(&'static str, u64)]) -> Vec<String> {
    let kernel = LOSS_NAMES.into_iter().zip(kernel);
    let all = kernel.chain(agent.iter().copied());
    all.filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}={count}"))
        .collect()
}

fn add(sums: &mut [u64; 5], unreported: &Counters) {
    let [a, b, c, d] = unreported.traffic();
    for (sum, value) in sums.iter_mut().zip([unreported.run_ns, a, b, c, d]) {
        *sum += value;
    }
}

fn reconcile(
    window: &Window<'_>,
    rows: &[Row],
    balance: [protocol::Balance; 5],
    losses: &[String],
) -> Row {
    let [
        cpu_ns,
        net_tx_bytes,
        net_tx_packets,
        net_rx_bytes,
        net_rx_packets,
    ] = balance;
    let count = |is: fn(&Row) -> bool| signed(rows.iter().filter(|row| is(row)).count() as u64);
    Row::Reconcile(Reconcile {
        timestamp: window.end,
        window_start: window.start,
        window_end: window.end,
        rows_pod_usage: count(|row| matches!(row, Row::PodUsage(_))),
        rows_pod_network: count(|row| matches!(row, Row::PodNetwork(_))),
        rows_events: count(|row| matches!(row, Row::Events(_))),
        cpu_ns,
        net_tx_bytes,
        net_tx_packets,
        net_rx_bytes,
        net_rx_packets,
        losses: losses.to_vec(),
        sources: rows::source_states(window.sources),
        origin: window.origin.clone(),
    })
}

#[cfg(test)]
mod tests;
