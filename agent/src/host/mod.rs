//! The kernel side, the ledger and its state, as one: takes records in as they come and ends windows
//! when it is told to. Nothing is queued that has no bound.

pub mod identity;
pub mod output;
mod start;
pub mod state;

use std::{collections::HashMap, io, os::fd::OwnedFd, path::PathBuf, time::SystemTime};

use agent_common::cpu::CpuUsage;
use protocol::{Epoch, Origin, Row, Timestamp};

use self::state::{LastBatch, State, StateError};
use crate::{
    cgroups::{self, Cgroup, CgroupFile, FileCpu, FileReader},
    join::{Files, Known, Ledger, OomLedger, Reading},
    kernel::{
        CgroupEventKind, Cost, Kernel, KernelError, OomEvent, Options, Prefix, RecordError,
        Snapshot, Source, SourceState, Sources, default_prefixes, node_prefixes, sys,
    },
    node,
    pods::Restart,
};

/// Cgroups that may wait for their last row: more cut the window short, so that a storm of short
/// lives is bounded in memory.
const MOST_RELEASED: usize = 2_048;
/// What is read of each pod's own cgroup; the first two in any case.
const POD_FILES: [CgroupFile; 5] = [
    CgroupFile::MemoryPeak,
    CgroupFile::IoStat,
    CgroupFile::MemoryCurrent,
    CgroupFile::MemoryStat,
    CgroupFile::SwapCurrent,
];

/// How to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The kernel side.
    pub kernel: Options,
    /// Where the baseline is kept; nowhere when counting ends with the process.
    pub state: Option<PathBuf>,
    /// What an earlier agent kept in its spool.
    pub spooled_state: Option<Vec<u8>>,
    /// One row for each pod, and one for the node, instead of one for each cgroup alone.
    pub by_pods: bool,
    /// Name of the node; else the host's.
    pub node_name: Option<String>,
    /// Name of the cluster.
    pub cluster_name: Option<String>,
}

impl Settings {
    /// Of a plain host.
    pub fn new(kernel: Options, state: Option<PathBuf>) -> Self {
        Self {
            kernel,
            state,
            spooled_state: None,
            by_pods: false,
            node_name: None,
            cluster_name: None,
        }
    }
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
    /// Nobody tells when kernel records come.
    #[error("waiting for kernel records")]
    Records(#[source] io::Error),
    /// The rows can't be written.
    #[error("writing rows")]
    Output(#[source] io::Error),
}

/// The agent.
pub struct Host {
    settings: Settings,
    kernel: Option<Kernel>,
    sources: Sources,
    ledger: Ledger,
    oom: OomLedger,
    state: Option<State>,
    /// The last batch that is kept in a spool; none where rows are only written out.
    last: Option<LastBatch>,
    /// Rows are told but not kept yet: until they are, the state and the kernel's accounts stay as they
    /// are, so that an agent after us can tell them.
    is_holding: bool,
    /// Accounts that leave the kernel then.
    held: Vec<u64>,
    file_cpu: FileCpu,
    files: FileReader,
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
        // New counters begin within the first window.
        let (begin, begin_ns) = (now(), sys::boot_ns());
        let (kernel, sources) = start::start_kernel(&mut settings, &mut say)?;
        start::tell_absent(&sources, &settings, &mut say);
        let origin = identity::origin(&settings);
        let mut ledger = Ledger::new(origin, begin, begin_ns);
        if settings.by_pods {
            ledger.by_pods();
        }
        let mut host = Self {
            addresses: node_prefixes(),
            file_cpu: FileCpu::default(),
            files: FileReader::default(),
            lost_lives: 0,
            troubles: Troubles::default(),
            settings,
            kernel,
            sources,
            ledger,
            oom: OomLedger::default(),
            state: None,
            last: None,
            is_holding: false,
            held: Vec::new(),
        };
        host.take_over(&mut say)?;
        let listing = host.list();
        if host.counts_cpu_by_files() {
            // Files count since each cgroup's birth: the first reading sets the mark.
            host.file_cpu
                .read(&host.settings.kernel.cgroup_root, &listing);
        }
        host.link()?;
        Ok(host)
    }

    /// Charges the windows of containers to their pods.
    fn link(&mut self) -> Result<(), HostError> {
        let links = self.ledger.take_links();
        if let Some(kernel) = self
            .kernel
            .as_mut()
            .filter(|_| self.sources.is_active(Source::Cpu))
        {
            for (child, owner) in links {
                kernel.charge_windows_to(child, owner)?;
            }
        }
        Ok(())
    }

    /// Descriptors that can be read when records wait.
    pub fn record_fds(&self) -> io::Result<Vec<OwnedFd>> {
        let fds = self.kernel.iter().flat_map(Kernel::record_fds);
        fds.map(|fd| fd.try_clone_to_owned()).collect()
    }

    /// Whether so many cgroups wait for their last row that the window had better end.
    pub fn is_crowded(&self) -> bool {
        self.ledger.released() >= MOST_RELEASED
    }

    /// Takes note that a container was started again.
    pub fn on_restart(&mut self, restart: Restart) {
        self.ledger.on_restart(restart, now());
    }

    /// The node's name in every row.
    pub fn node_name(&self) -> &str {
        &self.ledger.origin().node_name
    }

    /// What the kernel side costs.
    pub fn cost(&self) -> Cost {
        self.kernel.as_ref().map(Kernel::cost).unwrap_or_default()
    }

    /// Which sources run.
    pub fn sources(&self) -> &Sources {
        &self.sources
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

    /// Who writes the rows.
    pub fn origin(&self) -> &Origin {
        self.ledger.origin()
    }

    /// Rows are batches of this epoch from now on, the next one with this seq.
    pub fn begin_epoch(&mut self, epoch: Epoch, next_seq: u64) {
        self.ledger.begin_epoch(epoch.to_string(), next_seq);
    }

    /// What an agent after us needs, to be kept in one transaction with the rows up to batch `last`.
    pub fn state(&self, last: LastBatch) -> Option<Vec<u8>> {
        let state = self.state.as_ref()?;
        state
            .bytes(Some(last), &self.ledger.baseline(), &self.oom)
            .ok()
    }

    /// The rows of the last window could not be kept, and may be kept later.
    pub fn hold(&mut self) {
        self.is_holding = true;
    }

    /// All rows up to batch `last` are kept.
    pub fn kept(&mut self, last: LastBatch) -> Result<(), HostError> {
        (self.last, self.is_holding) = (Some(last), false);
        self.save();
        let held = std::mem::take(&mut self.held);
        self.remove_accounts(&held)
    }

    /// Keeps what an agent after us needs. A state that is behind its rows would tell them twice: if
    /// it can't be written, none is left.
    pub fn save(&mut self) {
        let Some(state) = self.state.as_ref().filter(|_| !self.is_holding) else {
            return;
        };
        let bytes = state.bytes(self.last, &self.ledger.baseline(), &self.oom);
        if bytes.and_then(|bytes| state.save(&bytes)).is_err() {
            self.troubles.unsaved_states += 1;
            state.discard();
        }
    }

    /// Takes every record that waits into the ledger, and the accounts of released cgroups with it.
    pub fn take_events(&mut self) -> Result<(), HostError> {
        let Some(kernel) = &mut self.kernel else {
            return Ok(());
        };
        let mut released = Vec::new();
        // A birth alone need not be kept: whoever comes after lists what exists.
        let (mut to_keep, mut unreadable) = (0_u64, 0_u64);
        let root = &self.settings.kernel.cgroup_root;
        let (ledger, oom) = (&mut self.ledger, &mut self.oom);
        kernel.cgroup_events(|event| match event {
            Ok(event) => {
                to_keep += u64::from(event.kind != CgroupEventKind::Born);
                if event.kind == CgroupEventKind::Released {
                    released.push(event.cgroup_id);
                }
                ledger.on_cgroup(event);
            }
            Err(RecordError::TooShort(_) | RecordError::UnknownKind(_)) => unreadable += 1,
        });
        kernel.oom_events(|event| match event {
            Ok(event) => {
                to_keep += 1;
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
        if to_keep > 0 {
            self.settle(&released)?;
        }
        self.link()
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
        if self.is_holding {
            self.held.extend(released);
            return Ok(());
        }
        self.save();
        self.remove_accounts(released)
    }

    fn remove_accounts(&self, ids: &[u64]) -> Result<(), HostError> {
        if let Some(kernel) = &self.kernel {
            ids.iter().try_for_each(|id| kernel.remove_account(*id))?;
        }
        Ok(())
    }

    /// Ends the window now and returns its rows. The caller tells what others know of it, and calls
    /// [`Host::save`] once the rows are written.
    pub fn close_window(&mut self, mut known: Known<'_>) -> Result<Vec<Row>, HostError> {
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
        if self.settings.by_pods {
            known.files = self.files(known.sample.is_some());
            known.node = Some(node::read("/proc".as_ref(), "/sys".as_ref()));
        }
        let losses = self.losses();
        let reading = Reading {
            now: now(),
            snapshot: &snapshot,
            stats: &stats,
            sources: &self.sources,
            losses: &losses,
            known: &known,
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
            Some(kernel) => {
                let mut snapshot = kernel.read()?;
                // The ledger is done with them, but an agent after us might not be.
                for id in &self.held {
                    snapshot.cpu.remove(id);
                    snapshot.network.remove(id);
                }
                Ok(snapshot)
            }
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
        if !self.has_controller("cpu") {
            return HashMap::new();
        }
        let root = &self.settings.kernel.cgroup_root;
        let read = |(id, path)| Some((id, cgroups::read_cpu_stat(root, path).ok()?));
        self.ledger.charged().filter_map(read).collect()
    }

    /// The files of pods' own cgroups, where a controller makes some.
    /// Where the kubelet answered, its figures of memory are used.
    fn files(&mut self, kubelet_answered: bool) -> Files {
        if !self.has_controller("memory") && !self.has_controller("io") {
            return Files::new();
        }
        let root = &self.settings.kernel.cgroup_root;
        let wanted = match kubelet_answered {
            true => &POD_FILES[..2],
            false => &POD_FILES[..],
        };
        let reader = &mut self.files;
        let read = |(id, path): (u64, &str)| (id, reader.read(root, path, wanted));
        self.ledger.pod_cgroups().map(read).collect()
    }

    fn has_controller(&self, wanted: &str) -> bool {
        let file = self
            .settings
            .kernel
            .cgroup_root
            .join("cgroup.subtree_control");
        let names = std::fs::read_to_string(file).unwrap_or_default();
        names.split_whitespace().any(|name| name == wanted)
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
