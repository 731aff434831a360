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

use self::state::{Counters, State, StateError, Stored};
use crate::{
    cgroups::{self, Cgroup, FileCpu},
    join::{Ledger, OomLedger, Reading},
    kernel::{
        CgroupEventKind, Kernel, KernelError, OomEvent, Options, PinError, Prefix, RecordError,
        Snapshot, Source, SourceState, Sources, default_prefixes, needs, node_prefixes, sys,
    },
};

/// Cgroups that may wait for their last row: more cut the window short, so that a storm of short
/// lives is bounded in memory.
const MOST_RELEASED: usize = 2_048;
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
    file_cpu: FileCpu,
    /// The host's addresses, as the kernel's tables hold them.
    addresses: Vec<Prefix>,
    /// Lifecycle records lost until the last listing.
    lost_lives: u64,
    troubles: Troubles,
}

/// What the agent itself could not do since the last window.
#[derive(Clone, Copy, Debug, Default)]
struct Troubles {
    unreadable_records: u64,
    unsaved_states: u64,
    unlisted: u64,
}

impl Host {
    /// Starts counting. Without the kernel's counters it goes on with what files tell; `say` gets a
    /// line for everything that is missing.
    pub fn start(settings: Settings, mut say: impl FnMut(&str)) -> Result<Self, HostError> {
        let mut settings = settings;
        let (kernel, sources) = start_kernel(&mut settings, &mut say)?;
        tell_absent(&sources, &settings, &mut say);
        let ledger = Ledger::new(identity::origin(), now(), sys::boot_ns());
        let mut host = Self {
            addresses: node_prefixes(),
            file_cpu: FileCpu::default(),
            lost_lives: 0,
            troubles: Troubles::default(),
            settings,
            kernel,
            sources,
            ledger,
            oom: OomLedger::default(),
            state: None,
        };
        host.take_over(&mut say)?;
        let listing = host.list();
        if host.counts_cpu_by_files() {
            // Files count since each cgroup's birth: the first reading sets the mark.
            host.file_cpu
                .read(&host.settings.kernel.cgroup_root, &listing);
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
        let by_files = matches!(self.sources.state(Source::Cpu), SourceState::Absent(_));
        let counters = Counters {
            boot_id: identity::boot_id(),
            incarnation: kernel.incarnation(),
            cpu_by_files: by_files,
        };
        let state = match State::open(directory, counters) {
            Ok(state) => state,
            Err(error) => {
                say(&crate::error_chain(&error));
                return Ok(());
            }
        };
        let gap = match state.load() {
            Stored::Fits(baseline, oom) => {
                self.oom = *oom;
                for id in self.ledger.resume(*baseline) {
                    kernel.remove_account(id)?;
                }
                if by_files {
                    // Files are read from a mark of this process's own.
                    self.ledger.begin_cpu_anew();
                }
                None
            }
            Stored::OtherCounters => {
                Some("the counters of the last row are gone, with what came since")
            }
            Stored::Nothing if kernel.took_over() => {
                Some("an earlier agent's counters go on, but what its rows told is not known")
            }
            Stored::Nothing => None,
        };
        if let Some(reason) = gap {
            say(&format!("gap: {reason}"));
            self.ledger.on_gap(reason.to_owned(), now());
            if kernel.took_over() {
                let snapshot = kernel.read()?;
                self.ledger.skip_to(&snapshot);
            }
        }
        self.state = Some(state);
        Ok(())
    }

    /// Names the cgroups that exist. A hierarchy that can't be listed leaves ids as names.
    fn list(&mut self) -> Vec<Cgroup> {
        match cgroups::list(&self.settings.kernel.cgroup_root) {
            Ok(listing) => {
                self.ledger.on_listing(&listing, sys::boot_ns());
                listing
            }
            Err(_) => {
                self.troubles.unlisted += 1;
                Vec::new()
            }
        }
    }

    /// Keeps what an agent after us needs. A state that is behind its rows would tell them twice: if
    /// it can't be written, none is left.
    fn save(&mut self) {
        let Some(state) = &self.state else { return };
        if state.save(&self.ledger.baseline(), &self.oom).is_err() {
            self.troubles.unsaved_states += 1;
            state.discard();
        }
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
            self.save();
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
            if self.ledger.released() >= MOST_RELEASED {
                return Ok(());
            }
        }
    }

    /// Takes every record that waits into the ledger, and the accounts of released cgroups with it.
    fn take_events(&mut self) -> Result<(), HostError> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let mut released = Vec::new();
        let (mut taken, mut unreadable) = (0_u64, 0_u64);
        let root = &self.settings.kernel.cgroup_root;
        let (ledger, oom) = (&mut self.ledger, &mut self.oom);
        kernel.cgroup_events(|event| match event {
            Ok(event) => {
                taken += 1;
                if event.kind == CgroupEventKind::Released {
                    released.push(event.cgroup_id);
                }
                ledger.on_cgroup(event);
            }
            Err(RecordError::TooShort(_) | RecordError::UnknownKind(_)) => unreadable += 1,
        });
        kernel.oom_events(|event| match event {
            Ok(event) => {
                taken += 1;
                let group = match &event {
                    OomEvent::Exited { cgroup_id, .. } => ledger
                        .path(*cgroup_id)
                        .and_then(|path| cgroups::oom_group(root, path)),
                    OomEvent::Marked { .. } => None,
                };
                oom.on_event_in(event, group);
            }
            Err(RecordError::TooShort(_) | RecordError::UnknownKind(_)) => unreadable += 1,
        });
        self.troubles.unreadable_records += unreadable;
        if taken > 0 {
            self.settle(&released)?;
        }
        Ok(())
    }

    /// Takes the accounts of cgroups to which nothing can be charged any more out of the kernel. They
    /// are kept in the state first, with all that was told of since: a kill in between neither loses
    /// nor repeats it.
    fn settle(&mut self, released: &[u64]) -> Result<(), HostError> {
        let Some(kernel) = &self.kernel else {
            return Ok(());
        };
        for id in released {
            let (cpu, network) = kernel.account(*id)?;
            self.ledger.on_released(*id, cpu, &network);
        }
        self.save();
        if let Some(kernel) = &self.kernel {
            released
                .iter()
                .try_for_each(|id| kernel.remove_account(*id))?;
        }
        Ok(())
    }

    /// Ends the window now and returns its rows.
    pub fn close_window(&mut self) -> Result<Vec<Row>, HostError> {
        self.take_events()?;
        // Cgroups whose release never came.
        let quiet = self.ledger.quiet(sys::boot_ns());
        if !quiet.is_empty() {
            self.settle(&quiet)?;
        }
        self.refresh_addresses()?;
        let mut snapshot = self.read()?;
        if self.counts_cpu_by_files() {
            self.add_cpu_by_files(&mut snapshot);
        }
        self.ledger.observe(&snapshot);
        self.name_the_nameless(&snapshot);
        self.take_kills();
        let stats = self.stats();
        let losses = self.losses();
        let reading = Reading {
            now: now(),
            snapshot: &snapshot,
            stats: &stats,
            sources: &self.sources,
            losses: &losses,
        };
        Ok(self.ledger.close(&reading))
    }

    /// Addresses come and go while the agent runs; their class follows.
    fn refresh_addresses(&mut self) -> Result<(), HostError> {
        let addresses = node_prefixes();
        if let Some(kernel) = self.kernel.as_ref().filter(|_| addresses != self.addresses) {
            kernel.set_prefixes(&[default_prefixes(), addresses.clone()].concat())?;
            self.addresses = addresses;
        }
        Ok(())
    }

    /// Lists the hierarchy where records can't have told every life.
    fn name_the_nameless(&mut self, snapshot: &Snapshot) {
        let lost = snapshot.losses[agent_common::loss::LOSS_LIFECYCLE_RING as usize];
        let blind = !self.sources.is_active(Source::Lifecycle) || lost != self.lost_lives;
        self.lost_lives = lost;
        if blind || self.ledger.has_nameless() {
            self.list();
        }
    }

    fn take_kills(&mut self) {
        let (wall, boot_ns) = (now(), sys::boot_ns());
        for kill in self.oom.finish(boot_ns) {
            let age_us = boot_ns.saturating_sub(kill.at_ns) / 1000;
            let at = wall.plus_us(-i64::try_from(age_us).unwrap_or(0));
            self.ledger.on_kill(&kill, at);
        }
    }

    /// What the agent itself could not do since the last window.
    fn losses(&mut self) -> Vec<(&'static str, u64)> {
        let troubles = std::mem::take(&mut self.troubles);
        vec![
            ("records_unreadable", troubles.unreadable_records),
            ("states_not_saved", troubles.unsaved_states),
            ("listings_failed", troubles.unlisted),
            ("oom_marks_without_room", self.oom.take_unmatched()),
        ]
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

    fn add_cpu_by_files(&mut self, snapshot: &mut Snapshot) {
        let listing = self.list();
        let own = self
            .file_cpu
            .read(&self.settings.kernel.cgroup_root, &listing);
        let usage = |run_ns| CpuUsage {
            run_ns,
            ..CpuUsage::ZERO
        };
        snapshot
            .cpu
            .extend(own.iter().map(|(id, run_ns)| (*id, usage(*run_ns))));
        // There is no other total to compare with.
        snapshot.cpu_totals.run_ns = self.file_cpu.total_ns();
    }

    /// `cpu.stat` of every cgroup that ran, where the cpu controller makes it tell throttling.
    fn stats(&self) -> HashMap<u64, cgroups::CpuStat> {
        let root = &self.settings.kernel.cgroup_root;
        let controllers = std::fs::read_to_string(root.join("cgroup.subtree_control"));
        if !controllers.is_ok_and(|names| names.split_whitespace().any(|name| name == "cpu")) {
            return HashMap::new();
        }
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
