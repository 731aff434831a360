//! The agent on a plain host: every cgroup is a workload. Drives the kernel side, the ledger and an
//! output from one thread; nothing is queued that has no bound.

mod identity;
pub mod output;
pub mod state;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use agent_common::cpu::CpuUsage;
use protocol::{Row, Timestamp};

use self::state::{State, StateError};
use crate::{
    cgroups::{self, Cgroup},
    join::{Ledger, OomLedger, Reading},
    kernel::{
        CgroupEventKind, Kernel, KernelError, OomEvent, Options, PinError, RecordError, Snapshot,
        Source, SourceState, Sources, needs, sys,
    },
};

/// Longest wait between two looks at the stop flag.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The kernel side.
    pub kernel: Options,
    /// Length of a window.
    pub interval: Duration,
    /// Where the baseline is kept; nowhere when counting ends with the process.
    pub state: Option<PathBuf>,
}

/// Why the agent can't go on.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The kernel's counters failed after they ran.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The state can't be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The rows can't be written.
    #[error("writing rows")]
    Output(#[source] std::io::Error),
}

/// The agent.
pub struct Host {
    settings: Settings,
    kernel: Option<Kernel>,
    sources: Sources,
    ledger: Ledger,
    oom: OomLedger,
    state: Option<State>,
    has_cpu_controller: bool,
    bad_records: u64,
}

impl Host {
    /// Starts counting. Without the kernel's counters it goes on with what files tell; `say` gets a
    /// line for everything that is missing.
    pub fn start(settings: Settings, mut say: impl FnMut(&str)) -> Result<Self, HostError> {
        let mut settings = settings;
        let (kernel, sources) = start_kernel(&mut settings, &mut say)?;
        tell_absent(&sources, &settings, &mut say);
        let ledger = Ledger::new(identity::origin(), now(), sys::boot_ns());
        let controllers =
            std::fs::read_to_string(settings.kernel.cgroup_root.join("cgroup.subtree_control"));
        let mut host = Self {
            has_cpu_controller: controllers
                .is_ok_and(|names| names.split_whitespace().any(|name| name == "cpu")),
            settings,
            kernel,
            sources,
            ledger,
            oom: OomLedger::default(),
            state: None,
            bad_records: 0,
        };
        host.take_over(&mut say)?;
        let listing = host.list();
        if host.counts_cpu_by_files() {
            // Files count since each cgroup's birth, not since our start.
            let mut snapshot = host.read()?;
            host.add_cpu_by_files(&mut snapshot, &listing);
            host.ledger.skip_to(&snapshot);
        }
        Ok(host)
    }

    /// Which sources run.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Goes on where the last agent's rows ended, or tells the gap.
    fn take_over(&mut self, say: &mut impl FnMut(&str)) -> Result<(), HostError> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        if let Some(gap) = kernel.gap() {
            say(&format!("gap: {}", gap.reason));
            self.ledger.on_gap(gap.reason.clone(), now());
        }
        let Some(directory) = &self.settings.state else {
            return Ok(());
        };
        let state = State::open(directory, &identity::boot_id(), kernel.incarnation())?;
        match state.load() {
            Some(baseline) => {
                for id in self.ledger.resume(baseline) {
                    kernel.remove_account(id)?;
                }
            }
            None if kernel.took_over() => {
                let reason =
                    "an earlier agent's counters go on, but what its rows told is not known";
                say(&format!("gap: {reason}"));
                self.ledger.on_gap(reason.to_owned(), now());
                let snapshot = kernel.read()?;
                self.ledger.skip_to(&snapshot);
            }
            None => {}
        }
        self.state = Some(state);
        Ok(())
    }

    /// Names the cgroups that exist. A hierarchy that can't be listed leaves ids as names.
    fn list(&mut self) -> Vec<Cgroup> {
        let listing = cgroups::list(&self.settings.kernel.cgroup_root).unwrap_or_default();
        if !listing.is_empty() {
            self.ledger.on_listing(&listing, sys::boot_ns());
        }
        listing
    }

    /// Writes windows until `deadline` or until `stop` is set; the last one is cut short then.
    pub fn run(
        &mut self,
        deadline: Option<Instant>,
        stop: &Arc<AtomicBool>,
        mut write: impl FnMut(&[Row]) -> std::io::Result<()>,
    ) -> Result<(), HostError> {
        loop {
            let end = next_boundary(self.settings.interval);
            let end = deadline.map_or(end, |deadline| deadline.min(end));
            self.wait_until(end, stop)?;
            let rows = self.close_window()?;
            write(&rows).map_err(HostError::Output)?;
            if let Some(state) = &self.state {
                state.save(self.ledger.baseline())?;
            }
            let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if is_over || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn wait_until(&mut self, end: Instant, stop: &AtomicBool) -> Result<(), HostError> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let wait = left.min(LOOK_EVERY);
            match &self.kernel {
                Some(kernel) => {
                    let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX).max(1);
                    kernel.wait(wait_ms)?;
                }
                None => std::thread::sleep(wait),
            }
            self.take_events()?;
        }
    }

    /// Takes every record that waits into the ledger, and the accounts of released cgroups with it.
    fn take_events(&mut self) -> Result<(), HostError> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let mut released = Vec::new();
        let mut bad_records = 0;
        let root = &self.settings.kernel.cgroup_root;
        let (ledger, oom) = (&mut self.ledger, &mut self.oom);
        kernel.cgroup_events(|event| match event {
            Ok(event) => {
                if event.kind == CgroupEventKind::Released {
                    released.push(event.cgroup_id);
                }
                ledger.on_cgroup(event);
            }
            Err(RecordError::TooShort(_) | RecordError::UnknownKind(_)) => bad_records += 1,
        });
        kernel.oom_events(|event| match event {
            Ok(event) => {
                let group = match &event {
                    OomEvent::Exited { cgroup_id, .. } => ledger
                        .path(*cgroup_id)
                        .and_then(|path| cgroups::oom_group(root, path)),
                    OomEvent::Marked { .. } => None,
                };
                oom.on_event_in(event, group);
            }
            Err(RecordError::TooShort(_) | RecordError::UnknownKind(_)) => bad_records += 1,
        });
        self.bad_records += bad_records;
        self.settle(&released)
    }

    /// Takes the accounts of cgroups to which nothing can be charged any more out of the kernel. They
    /// are kept in the state first: a kill in between neither loses nor repeats them.
    fn settle(&mut self, released: &[u64]) -> Result<(), HostError> {
        let Some(kernel) = self.kernel.as_ref().filter(|_| !released.is_empty()) else {
            return Ok(());
        };
        for id in released {
            let (cpu, network) = kernel.account(*id)?;
            self.ledger.on_released(*id, cpu, &network);
        }
        if let Some(state) = &self.state {
            state.save(self.ledger.baseline())?;
        }
        for id in released {
            kernel.remove_account(*id)?;
        }
        Ok(())
    }

    /// Ends the window now and returns its rows.
    pub fn close_window(&mut self) -> Result<Vec<Row>, HostError> {
        self.take_events()?;
        // Cgroups whose release never came.
        self.settle(&self.ledger.quiet(sys::boot_ns()))?;
        let mut snapshot = self.read()?;
        if self.counts_cpu_by_files() {
            let listing = self.list();
            self.add_cpu_by_files(&mut snapshot, &listing);
        }
        self.ledger.observe(&snapshot);
        let lost = snapshot.losses[agent_common::loss::LOSS_LIFECYCLE_RING as usize];
        let blind = !self.sources.is_active(Source::Lifecycle) || lost > 0;
        if blind || self.ledger.has_nameless() {
            self.list();
        }
        let (wall, boot_ns) = (now(), sys::boot_ns());
        for kill in self.oom.finish(boot_ns) {
            let age_us = boot_ns.saturating_sub(kill.at_ns) / 1000;
            let at = wall.plus_us(-i64::try_from(age_us).unwrap_or(0));
            self.ledger.on_kill(&kill, at);
        }
        let stats = self.stats();
        let reading = Reading {
            now: now(),
            snapshot: &snapshot,
            stats: &stats,
            sources: &self.sources,
        };
        Ok(self.ledger.close(&reading))
    }

    fn read(&mut self) -> Result<Snapshot, HostError> {
        match &mut self.kernel {
            Some(kernel) => Ok(kernel.read()?),
            None => Ok(Snapshot {
                at_ns: sys::boot_ns(),
                ..Snapshot::default()
            }),
        }
    }

    fn counts_cpu_by_files(&self) -> bool {
        matches!(self.sources.state(Source::Cpu), SourceState::Absent(_))
    }

    fn add_cpu_by_files(&self, snapshot: &mut Snapshot, listing: &[Cgroup]) {
        let own = cgroups::own_cpu_ns(&self.settings.kernel.cgroup_root, listing);
        snapshot.cpu_totals.run_ns = own.values().sum();
        let usage = |run_ns| CpuUsage {
            run_ns,
            ..CpuUsage::ZERO
        };
        snapshot
            .cpu
            .extend(own.into_iter().map(|(id, run_ns)| (id, usage(run_ns))));
    }

    /// `cpu.stat` of every charged cgroup, where the cpu controller makes it tell throttling.
    fn stats(&self) -> HashMap<u64, cgroups::CpuStat> {
        if !self.has_cpu_controller {
            return HashMap::new();
        }
        let root = &self.settings.kernel.cgroup_root;
        let read = |(id, path)| Some((id, cgroups::read_cpu_stat(root, path).ok()?));
        self.ledger.charged().filter_map(read).collect()
    }
}

/// Starts the kernel side. Where nothing can be pinned it counts for as long as this process lives,
/// and where nothing can be counted the reason is every source's.
fn start_kernel(
    settings: &mut Settings,
    say: &mut impl FnMut(&str),
) -> Result<(Option<Kernel>, Sources), HostError> {
    let mut started = Kernel::start(&settings.kernel);
    if let Err(KernelError::Pins(error @ PinError::NoBpfFs { .. })) = &started {
        say(&format!(
            "nothing outlives this process: {}",
            crate::error_chain(error)
        ));
        (settings.kernel.pins, settings.state) = (None, None);
        started = Kernel::start(&settings.kernel);
    }
    match started {
        Ok(kernel) => {
            let sources = kernel.sources().clone();
            Ok((Some(kernel), sources))
        }
        Err(error @ KernelError::Pins(PinError::Busy(_))) => Err(error.into()),
        Err(error) => Ok((None, Sources::none(&crate::error_chain(&error)))),
    }
}

/// A line for each source that can't run, and for each need that is not met.
fn tell_absent(sources: &Sources, settings: &Settings, say: &mut impl FnMut(&str)) {
    if sources
        .iter()
        .any(|(_, state)| matches!(state, SourceState::Absent(_)))
    {
        let root =
            Some(settings.kernel.cgroup_root.as_path()).filter(|_| cgroups::find_root().is_some());
        for need in needs::check(root) {
            if let Err(fix) = need.found {
                say(&format!("{}: {fix}", need.name));
            }
        }
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (source, state) in sources.iter() {
        let SourceState::Absent(reason) = state else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, names)) => names.push(source.name()),
            None => reasons.push((reason, vec![source.name()])),
        }
    }
    for (reason, names) in reasons {
        say(&format!("no counters of {}: {reason}", names.join(", ")));
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// The next multiple of `interval` on the wall clock, so that windows of all nodes end together.
fn next_boundary(interval: Duration) -> Instant {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let past_ns = since.as_nanos() % interval.as_nanos().max(1);
    let past = Duration::from_nanos(u64::try_from(past_ns).unwrap_or(0));
    Instant::now() + interval.saturating_sub(past)
}

/// A flag that SIGINT and SIGTERM set; a second signal ends the process at once.
pub fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
