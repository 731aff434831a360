//! Loads the programs and attaches each once. An agent that finds the pins of another goes on with
//! its maps and puts its own programs in place without gap or double: packet programs by updating
//! the link, tracepoint programs by attaching silent ones beside the old and then moving `ACTIVE`.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use agent_common::{
    control::Offsets,
    table::{CPU_ACCOUNTS, NETWORK_ACCOUNTS_PER_SHARD},
};
use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, RingBuf},
    programs::links::FdLink,
};

use super::{
    Gap, KernelError, OBJECT, Options, Source, Sources,
    attach::{Attached, activate},
    btf,
    pins::Pins,
    read::{AccountKind, MAPS, Maps},
    sys,
    trace::Trace,
};

/// The kernel's counters, running.
pub struct Kernel {
    pub(super) maps: Maps,
    pub(super) records: Records,
    sources: Sources,
    gap: Option<Gap>,
    incarnation: Incarnation,
    verifier: Vec<(&'static str, u32)>,
    program_ids: Vec<(&'static str, u32)>,
    pub(super) trace: Option<Trace>,
    /// Links that end with this process, when nothing is pinned.
    _links: Vec<(Source, FdLink)>,
    _pins: Option<Pins>,
}

/// One life of the counters: from the maps' creation to their removal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incarnation {
    pub(super) number: u32,
    pub(super) is_new: bool,
}

/// The rings.
pub(super) struct Records {
    pub(super) lifecycle: RingBuf<MapData>,
    pub(super) oom: RingBuf<MapData>,
}

impl Kernel {
    /// Loads and attaches what `options` ask for. A source that can't run is told in
    /// [`Kernel::sources`]; only what stops all of them is an error.
    pub fn start(options: &Options) -> Result<Self, KernelError> {
        if OBJECT.is_empty() {
            return Err(KernelError::NoObject);
        }
        let offsets = btf::read_offsets(Path::new(btf::VMLINUX))?;
        let pins = options.pins.as_deref().map(Pins::open).transpose()?;
        let gap = pins
            .as_ref()
            .map(|pins| remove_unreadable(pins, options))
            .transpose()?
            .flatten();
        let version = match &pins {
            Some(pins) => {
                let version = active_version(pins)?.wrapping_add(1);
                pins.prepare(version)?;
                version
            }
            None => 1,
        };
        let mut ebpf = load_object(options, pins.as_ref(), version, &offsets)?;
        let maps = Maps::take(&ebpf)?;
        maps.set_prefixes(&options.prefixes)
            .map_err(map_error("writing the address classes"))?;
        let records = Records {
            lifecycle: ring(&mut ebpf, "LIFECYCLE")?,
            oom: ring(&mut ebpf, "OOM_RECORDS")?,
        };
        let trace = Trace::open(&mut ebpf);
        let mut attached = Attached::new(options, pins.as_ref(), version);
        attached.attach_all(&mut ebpf);
        let incarnation = maps
            .incarnation()
            .map_err(map_error("numbering the counters"))?;
        activate(&maps, version).map_err(map_error("activating the programs"))?;
        if let Some(pins) = &pins {
            pins.remove_other_links(version)?;
        }
        let Attached {
            sources,
            links,
            verifier,
            program_ids,
            btf,
            ..
        } = attached;
        drop((ebpf, btf));
        // The kernel's type information took some 25 MiB that nothing needs from here on.
        sys::return_free_memory();
        Ok(Self {
            maps,
            records,
            sources,
            gap,
            incarnation,
            verifier,
            program_ids,
            trace,
            _links: links,
            _pins: pins,
        })
    }

    /// Which sources run, and why others don't.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// What an earlier agent's counters held and this one could not take over.
    pub fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
    }

    /// Number drawn when these counters began; a baseline of others means nothing for them.
    pub fn incarnation(&self) -> u32 {
        self.incarnation.number
    }

    /// Whether an earlier agent's counters go on.
    pub fn took_over(&self) -> bool {
        !self.incarnation.is_new
    }

    /// Instructions that the verifier walked, by program.
    pub fn verified_instructions(&self) -> &[(&'static str, u32)] {
        &self.verifier
    }

    /// The kernel's numbers of the programs, for those who look at their costs.
    pub fn program_ids(&self) -> &[(&'static str, u32)] {
        &self.program_ids
    }
}

pub(super) fn map_error(what: &'static str) -> impl FnOnce(io::Error) -> KernelError {
    move |source| KernelError::Map { what, source }
}

/// Pins of other layouts, and maps that are not what their name says, hold counters that can't be
/// read: they go, and the gap is told.
fn remove_unreadable(pins: &Pins, options: &Options) -> Result<Option<Gap>, KernelError> {
    let cpus = cpus()?;
    let gap = pins.remove_other_layouts()?;
    for map in &MAPS {
        let Ok(data) = MapData::from_pin(pins.map(map.name)) else {
            continue;
        };
        let entries = map.accounts.map(|kind| accounts(kind, options, cpus));
        let fits = data.info().is_ok_and(|info| {
            info.key_size() == map.key_bytes
                && info.value_size() == map.value_bytes
                && entries.is_none_or(|entries| info.max_entries() == entries)
        });
        if !fits {
            return Ok(Some(pins.replace_layout(format!(
                "the pinned map {} has another shape",
                map.name
            ))?));
        }
    }
    Ok(gap)
}

/// The version that counts now, 0 when none does.
fn active_version(pins: &Pins) -> Result<u32, KernelError> {
    let Ok(active) = sys::open_pin(&pins.map("ACTIVE")) else {
        return Ok(0);
    };
    sys::look_up::<u32>(active.as_fd(), &0_u32)
        .map(Option::unwrap_or_default)
        .map_err(map_error("reading the active version"))
}

fn load_object(
    options: &Options,
    pins: Option<&Pins>,
    version: u32,
    offsets: &Offsets,
) -> Result<Ebpf, KernelError> {
    let cpus = cpus()?;
    let shard_mask = shards(cpus) - 1;
    let cpu_mask = accounts(AccountKind::Cpu, options, cpus) - 1;
    let network_mask = accounts(AccountKind::Network, options, cpus) - 1;
    let jiffies = jiffies_per_slot();
    let loopback = u32::from(options.loopback_shortcut);
    let mut loader = EbpfLoader::new();
    loader
        .override_global("VERSION", &version, true)
        .override_global("OFFSETS", offsets, true)
        .override_global("SHARD_MASK", &shard_mask, true)
        .override_global("CPU_MASK", &cpu_mask, true)
        .override_global("NETWORK_MASK", &network_mask, true)
        .override_global("JIFFIES_PER_SLOT", &jiffies, true)
        .override_global("LOOPBACK_IFINDEX", &loopback, true);
    for map in &MAPS {
        if let Some(pins) = pins {
            loader.map_pin_path(map.name, pins.map(map.name));
        }
        if let Some(kind) = map.accounts {
            loader.map_max_entries(map.name, accounts(kind, options, cpus));
        }
    }
    loader
        .load(OBJECT)
        .map_err(|error| KernelError::Load(Box::new(error)))
}

/// Shards of each network account; a power of two.
fn shards(cpus: usize) -> u32 {
    u32::try_from(cpus)
        .unwrap_or(u32::MAX)
        .clamp(1, agent_common::network::MAX_SHARDS)
        .next_power_of_two()
}

/// Places in a table of accounts; a power of two.
fn accounts(kind: AccountKind, options: &Options, cpus: usize) -> u32 {
    let most = options.max_accounts.unwrap_or_else(|| match kind {
        AccountKind::Cpu => CPU_ACCOUNTS,
        AccountKind::Network => NETWORK_ACCOUNTS_PER_SHARD * shards(cpus),
    });
    most.clamp(1, 1 << 24).next_power_of_two()
}

/// Possible CPUs. A guess would make wrong sums.
pub(super) fn cpus() -> Result<usize, KernelError> {
    aya::util::nr_cpus().map_err(|(file, source)| KernelError::Cpus { file, source })
}

/// Whole jiffies nearest to 20 ms.
fn jiffies_per_slot() -> u64 {
    (agent_common::cpu::SLOT_NS * jiffies_per_second()).div_ceil(1_000_000_000)
}

/// HZ, from the resolution of the coarse clock, which ticks once a jiffy.
fn jiffies_per_second() -> u64 {
    let mut resolution = libc::timespec {
        tv_sec: 0,
        tv_nsec: 4_000_000,
    };
    sys::coarse_resolution(&mut resolution);
    let jiffy_ns = resolution.tv_nsec.max(1).cast_unsigned();
    (1_000_000_000 + jiffy_ns / 2) / jiffy_ns
}

fn ring(ebpf: &mut Ebpf, name: &'static str) -> Result<RingBuf<MapData>, KernelError> {
    let map = ebpf.take_map(name).ok_or(KernelError::NoMap(name))?;
    RingBuf::try_from(map).map_err(|error| KernelError::Ring(Box::new(error)))
}

/// An owned descriptor of a map.
pub(super) fn owned(data: &MapData) -> io::Result<OwnedFd> {
    data.fd().as_fd().try_clone_to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_whole_jiffies_of_at_least_20_ms() {
        assert!(jiffies_per_slot() >= 2);
        assert!(matches!(jiffies_per_second(), 100 | 250 | 300 | 1000));
    }
}
