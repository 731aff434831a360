//! The maps of a running set of programs: found by the programs that use them, filled with
//! accounts, and their memory as the kernel tells it.

use std::{
    collections::BTreeSet,
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use agent::kernel::{Kernel, Source, sys};
use agent_common::{
    network::{MAX_SHARDS, network_key},
    table::{FREE, PROBES, Places, stored},
};
use anyhow::{Context as _, Result};
use aya::maps::{MapInfo, loaded_maps};
use e2e::footprint::{Footprint, Node, footprint};

use super::{options, prefixes, statistics};

const CGROUPS: u64 = 2_000;
const LARGE_NODE_CPUS: u64 = 96;

/// Bytes of all maps.
pub(super) struct MapMemory {
    /// As the kernel tells it for each map.
    pub(super) told: u64,
    /// Calculated for this machine, with what the kernel leaves out.
    pub(super) here: Footprint,
    /// Calculated for a node of 96 CPUs.
    pub(super) large: Footprint,
}

pub(super) fn measure() -> Result<MapMemory> {
    let mut options = options(&Source::ALL)?;
    options.prefixes = prefixes::many();
    let kernel = Kernel::start(&options)?;
    fill(&kernel, CGROUPS)?;
    let told = maps(&kernel)?.iter().map(memory).sum::<Result<u64>>()?;
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| error)? as u64;
    let node = |cpus| Node {
        cpus,
        prefixes: prefixes::PREFIXES as u64,
    };
    Ok(MapMemory {
        told,
        here: footprint(node(cpus)),
        large: footprint(node(LARGE_NODE_CPUS)),
    })
}

/// Opens accounts of `cgroups` cgroups that do not exist, in every shard that this machine has: the
/// keys are all that tells an account from a free place.
pub(super) fn fill(kernel: &Kernel, cgroups: u64) -> Result<()> {
    let maps = maps(kernel)?;
    // Above every real id of a machine that has not made two billion cgroups.
    let ids = (1_u64 << 31..).take(usize::try_from(cgroups)?);
    let shards = shards()?;
    let network = ids
        .clone()
        .flat_map(|id| (0..shards).map(move |shard| network_key(id, shard)));
    open_accounts(find(&maps, "CPU_KEYS")?, ids)?;
    open_accounts(find(&maps, "NETWORK_KEYS")?, network)
}

fn open_accounts(table: &MapInfo, keys: impl Iterator<Item = u64>) -> Result<()> {
    let fd = table.fd()?;
    let is_free =
        |place: &u32| sys::look_up::<u64>(fd.as_fd(), place).is_ok_and(|key| key == Some(FREE));
    for key in keys {
        let mut places = Places::of(stored(key), table.max_entries() - 1);
        let place = (0..PROBES).map(|_| places.next()).find(is_free);
        let place = place.with_context(|| format!("no place is left for {key}"))?;
        sys::update(fd.as_fd(), &place, &stored(key))?;
    }
    Ok(())
}

/// One of them by its name.
pub(crate) fn find<'a>(maps: &'a [MapInfo], name: &str) -> Result<&'a MapInfo> {
    maps.iter()
        .find(|map| map.name_as_str() == Some(name))
        .with_context(|| format!("no program uses a map {name}"))
}

fn shards() -> Result<u32> {
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| error)?;
    Ok(u32::try_from(cpus)?.next_power_of_two().min(MAX_SHARDS))
}

/// Every map that a program of `kernel` uses.
pub(crate) fn maps(kernel: &Kernel) -> Result<Vec<MapInfo>> {
    let mut ids = BTreeSet::new();
    for (_, id) in kernel.program_ids() {
        ids.extend(statistics::info(*id)?.map_ids()?.unwrap_or_default());
    }
    Ok(loaded_maps()
        .filter_map(Result::ok)
        .filter(|info| ids.contains(&info.id()))
        .collect())
}

fn memory(map: &MapInfo) -> Result<u64> {
    let fd = map.fd()?;
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd()))?;
    told.lines()
        .find_map(|line| line.strip_prefix("memlock:"))
        .and_then(|bytes| bytes.trim().parse().ok())
        .context("the kernel tells no memory of a map")
}
