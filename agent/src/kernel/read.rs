//! Reads the maps: everything at once for a window, or what is left of one released cgroup.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use agent_common::{
    control::{CONTROL_INCARNATION, CONTROL_WINDOW},
    cpu::{CpuTotals, CpuUsage},
    loss::LOSSES,
    network::{CLASSES, MAX_SHARDS, NetworkTotals, NetworkUsage, Traffic, key_cgroup, network_key},
};
use aya::{
    Ebpf,
    maps::{Map, MapData},
};

use super::{
    CgroupEvent, Kernel, KernelError, OomEvent, RecordError,
    load::{Incarnation, cpus, map_error, owned},
    owners::CpuTable,
    sys,
    table::Table,
};

/// A map that outlives the agent, and its shape.
pub(super) struct MapSpec {
    pub(super) name: &'static str,
    pub(super) key_bytes: u32,
    pub(super) value_bytes: u32,
    /// Whose accounts it holds, or their keys or owners.
    pub(super) accounts: Option<AccountKind>,
}

/// What an account counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccountKind {
    Cpu,
    Network,
}

const fn map(name: &'static str, key_bytes: u32, value_bytes: usize) -> MapSpec {
    MapSpec {
        name,
        key_bytes,
        value_bytes: value_bytes as u32,
        accounts: None,
    }
}

const fn table(name: &'static str, kind: AccountKind, value_bytes: usize) -> MapSpec {
    MapSpec {
        accounts: Some(kind),
        ..map(name, 4, value_bytes)
    }
}

/// All pinned maps. The class cache and the scratch buffer hold nothing worth keeping.
pub(super) const MAPS: [MapSpec; 15] = [
    map("ACTIVE", 4, 4),
    map("CONTROL", 4, 4),
    table("CPU", AccountKind::Cpu, size_of::<CpuUsage>()),
    table("CPU_KEYS", AccountKind::Cpu, 8),
    table("CPU_OWNERS", AccountKind::Cpu, 8),
    map("CPU_TOTALS", 4, size_of::<CpuTotals>()),
    table("NETWORK", AccountKind::Network, size_of::<NetworkUsage>()),
    table("NETWORK_KEYS", AccountKind::Network, 8),
    map("NETWORK_TOTALS", 4, size_of::<NetworkTotals>()),
    map("PREFIXES_V4", 8, 4),
    map("PREFIXES_V6", 20, 4),
    map("OOM_VICTIMS", 4, size_of::<agent_common::oom::OomRecord>()),
    map("OOM_RECORDS", 0, 0),
    map("LIFECYCLE", 0, 0),
    map("LOSS", 4, LOSSES * 8),
];

/// Everything the kernel counted until now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// When it was read, on the boot clock.
    pub at_ns: u64,
    /// Number of the row window that it closes; its peaks carry it.
    pub row_window: u32,
    /// CPU by cgroup.
    pub cpu: HashMap<u64, CpuUsage>,
    /// Traffic by cgroup and class.
    pub network: HashMap<u64, [Traffic; CLASSES]>,
    /// CPU of the host.
    pub cpu_totals: CpuTotals,
    /// Traffic of the host.
    pub network_totals: NetworkTotals,
    /// CPUs that can run something.
    pub online_cpus: usize,
    /// What was lost, by `agent_common::loss`.
    pub losses: [u64; LOSSES],
}

/// Descriptors of the maps.
#[derive(Debug)]
pub(super) struct Maps {
    fds: HashMap<&'static str, OwnedFd>,
    cpus: usize,
    cpu: CpuTable,
    network: Table<NetworkUsage>,
}

impl Maps {
    pub(super) fn take(ebpf: &Ebpf) -> Result<Self, KernelError> {
        let mut fds = HashMap::new();
        for spec in &MAPS {
            let data = map_data(ebpf, spec.name)?;
            fds.insert(
                spec.name,
                owned(data).map_err(map_error("copying a map's descriptor"))?,
            );
        }
        let cpu = CpuTable::open(
            map_data(ebpf, "CPU_KEYS")?,
            map_data(ebpf, "CPU_OWNERS")?,
            map_data(ebpf, "CPU")?,
        )
        .map_err(map_error("mapping the keys of the CPU accounts"))?;
        let network = open_network(map_data(ebpf, "NETWORK_KEYS")?, map_data(ebpf, "NETWORK")?)
            .map_err(map_error("mapping the keys of the network accounts"))?;
        Ok(Self {
            fds,
            cpus: cpus()?,
            cpu,
            network,
        })
    }

    /// The descriptor of one of [`MAPS`].
    pub(super) fn fd(&self, name: &'static str) -> BorrowedFd<'_> {
        self.fds[name].as_fd()
    }

    /// Adds one to a control cell; the value before.
    pub(super) fn raise_control(&self, cell: u32) -> io::Result<u32> {
        let control = self.fd("CONTROL");
        let value = sys::look_up::<u32>(control, &cell)?.unwrap_or_default();
        sys::update(control, &cell, &value.wrapping_add(1))?;
        Ok(value)
    }

    /// The number of these counters, drawn now if they are new.
    pub(super) fn incarnation(&self) -> io::Result<Incarnation> {
        let control = self.fd("CONTROL");
        let known = sys::look_up::<u32>(control, &CONTROL_INCARNATION)?.unwrap_or_default();
        if known != 0 {
            return Ok(Incarnation {
                number: known,
                is_new: false,
            });
        }
        // Two lives begin at different nanoseconds of one boot; the boot is told apart elsewhere.
        let number = (sys::boot_ns() as u32) | 1;
        sys::update(control, &CONTROL_INCARNATION, &number)?;
        Ok(Incarnation {
            number,
            is_new: true,
        })
    }

    fn read(&mut self) -> io::Result<Snapshot> {
        let row_window = self.raise_control(CONTROL_WINDOW)?;
        let mut snapshot = Snapshot {
            row_window,
            ..Snapshot::default()
        };
        let (cpu, network) = (&mut snapshot.cpu, &mut snapshot.network);
        self.cpu.for_each(|id, usage| {
            add_cpu(cpu.entry(id).or_insert(CpuUsage::ZERO), usage);
        })?;
        // Each total right after its accounts: what comes in between is in flight.
        snapshot.cpu_totals = self.cpu_totals()?;
        self.network.for_each(|key, usage| {
            add_classes(network.entry(key_cgroup(key)).or_default(), usage);
        })?;
        snapshot.at_ns = sys::boot_ns();
        snapshot.network_totals = self.network_totals()?;
        snapshot.losses = self.losses()?;
        // Without an answer: those that are possible.
        snapshot.online_cpus = aya::util::online_cpus().map_or(self.cpus, |cpus| cpus.len());
        Ok(snapshot)
    }

    fn cpu_totals(&self) -> io::Result<CpuTotals> {
        let values = sys::look_up_per_cpu::<CpuTotals>(self.fd("CPU_TOTALS"), 0, self.cpus)?;
        Ok(values
            .iter()
            .fold(CpuTotals::default(), |sum, value| CpuTotals {
                run_ns: sum.run_ns + value.run_ns,
                unattributed_ns: sum.unattributed_ns + value.unattributed_ns,
            }))
    }

    fn network_totals(&self) -> io::Result<NetworkTotals> {
        let values =
            sys::look_up_per_cpu::<NetworkTotals>(self.fd("NETWORK_TOTALS"), 0, self.cpus)?;
        Ok(values
            .iter()
            .fold(NetworkTotals::default(), |sum, value| NetworkTotals {
                total: add(sum.total, value.total),
                unattributed: add(sum.unattributed, value.unattributed),
            }))
    }

    fn losses(&self) -> io::Result<[u64; LOSSES]> {
        let values = sys::look_up_per_cpu::<[u64; LOSSES]>(self.fd("LOSS"), 0, self.cpus)?;
        Ok(values.iter().fold([0; LOSSES], |sum, value| {
            std::array::from_fn(|i| sum[i] + value[i])
        }))
    }

    /// The accounts of one cgroup.
    fn account(&self, cgroup_id: u64) -> io::Result<(Option<CpuUsage>, [Traffic; CLASSES])> {
        let mut cpu = None;
        self.cpu.visit(cgroup_id, |usage| {
            add_cpu(cpu.get_or_insert(CpuUsage::ZERO), usage);
        })?;
        let mut network = [Traffic::default(); CLASSES];
        for shard in 0..MAX_SHARDS {
            self.network.visit(network_key(cgroup_id, shard), |usage| {
                add_classes(&mut network, usage);
            })?;
        }
        Ok((cpu, network))
    }

    fn remove_account(&self, cgroup_id: u64) -> io::Result<()> {
        self.cpu.remove(cgroup_id)?;
        (0..MAX_SHARDS)
            .try_for_each(|shard| self.network.remove(network_key(cgroup_id, shard), |_| {}))
    }
}

impl Kernel {
    /// Reads everything and opens the next row window for the peaks.
    pub fn read(&mut self) -> Result<Snapshot, KernelError> {
        self.maps.read().map_err(map_error("reading the counters"))
    }

    /// Reads the accounts of one cgroup.
    pub fn account(
        &self,
        cgroup_id: u64,
    ) -> Result<(Option<CpuUsage>, [Traffic; CLASSES]), KernelError> {
        self.maps
            .account(cgroup_id)
            .map_err(map_error("reading a cgroup's counters"))
    }

    /// Removes the accounts of a cgroup that was released, once they are kept elsewhere: nothing can
    /// follow under its id.
    pub fn remove_account(&self, cgroup_id: u64) -> Result<(), KernelError> {
        self.maps
            .remove_account(cgroup_id)
            .map_err(map_error("removing a released cgroup's counters"))
    }

    /// Charges the windows of `child` to `owner` from now on: the owner's peaks and histogram are then
    /// those of all cgroups charged to it, taken together, and its own. Run time stays where it is used,
    /// and so does the window that was open. With `child` as its own owner it keeps its windows itself
    /// again, as it does once the owner's account is removed. An owner's own owner is not asked: of
    /// nested cgroups, each is charged to the outermost. Kept with the counters; may be called again.
    ///
    /// `Ok(false)` if the table of accounts is full: the child keeps its windows then.
    pub fn charge_windows_to(&mut self, child: u64, owner: u64) -> Result<bool, KernelError> {
        Ok(self.maps.cpu.charge_windows_to(child, owner))
    }

    /// Hands over every lifecycle record that waits, in the order in which they were made.
    pub fn cgroup_events(&mut self, mut handle: impl FnMut(Result<CgroupEvent, RecordError>)) {
        if let Some(trace) = &mut self.trace {
            trace.flush();
        }
        while let Some(record) = self.records.lifecycle.next() {
            handle(CgroupEvent::decode(&record));
        }
    }

    /// Hands over every OOM record that waits.
    pub fn oom_events(&mut self, mut handle: impl FnMut(Result<OomEvent, RecordError>)) {
        while let Some(record) = self.records.oom.next() {
            handle(OomEvent::decode(&record));
        }
    }

    /// Waits until a record can be read or `timeout_ms` have passed.
    pub fn wait(&self, timeout_ms: i32) -> Result<(), KernelError> {
        sys::wait_readable(&self.record_fds(), timeout_ms)
            .map_err(map_error("waiting for kernel records"))
    }

    /// What becomes readable when a record should be looked at, for those who wait for other things too.
    pub fn record_fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.records.lifecycle.as_fd(), self.records.oom.as_fd()]
    }
}

fn add(left: Traffic, right: Traffic) -> Traffic {
    Traffic {
        tx_bytes: left.tx_bytes + right.tx_bytes,
        tx_packets: left.tx_packets + right.tx_packets,
        rx_bytes: left.rx_bytes + right.rx_bytes,
        rx_packets: left.rx_packets + right.rx_packets,
    }
}

/// One account is nearly always all that a cgroup has; a second holds later events of few slots.
fn add_cpu(sum: &mut CpuUsage, usage: &CpuUsage) {
    sum.run_ns += usage.run_ns;
    sum.last_slot = sum.last_slot.max(usage.last_slot);
    for (sum, peak) in sum.peaks.iter_mut().zip(usage.peaks) {
        *sum = (*sum).max(peak);
    }
    for (sum, slot) in sum.slots.iter_mut().zip(usage.slots) {
        *sum = (*sum).max(slot);
    }
    for (sum, windows) in sum.histogram.iter_mut().zip(usage.histogram) {
        *sum += windows;
    }
}

fn add_classes(sum: &mut [Traffic; CLASSES], usage: &NetworkUsage) {
    for (sum, class) in sum.iter_mut().zip(&usage.classes) {
        *sum = add(*sum, *class);
    }
}

fn open_network(keys: &MapData, accounts: &MapData) -> io::Result<Table<NetworkUsage>> {
    let table = Table::open(keys, accounts, NetworkUsage::ZERO)?;
    table.recover(|_| {})?;
    Ok(table)
}

fn map_data<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<&'a MapData, KernelError> {
    match ebpf.map(name) {
        Some(
            Map::Array(data)
            | Map::HashMap(data)
            | Map::PerCpuArray(data)
            | Map::LpmTrie(data)
            | Map::RingBuf(data),
        ) => Ok(data),
        _ => Err(KernelError::NoMap(name)),
    }
}
