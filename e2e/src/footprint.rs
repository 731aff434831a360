//! Kernel memory of all maps, calculated: how much a node of any size would give, which no test
//! machine can show. Sizes of the kernel's own structs are those of 6.x on 64 bits.

use agent_common::{
    control::{ACTIVE_CELLS, CONTROL_CELLS},
    cpu::{CpuTotals, CpuUsage},
    loss::LOSSES,
    network::{CLASS_CACHE_ENTRIES, ClassCacheEntry, MAX_SHARDS, NetworkTotals, NetworkUsage},
    oom::OomRecord,
    table::{CPU_ACCOUNTS, NETWORK_ACCOUNTS_PER_SHARD},
};

/// `struct htab_elem`, before the key.
const HASH_HEADER: u64 = 48;
/// `struct bucket`.
const HASH_BUCKET: u64 = 16;
/// A node of a prefix tree, address and class included; a prefix takes up to two.
const PREFIX_NODE: u64 = 64;
/// `struct bpf_map` with what belongs to its kind.
const MAP_HEADER: u64 = 512;
const PAGE: u64 = 4096;
/// Consumer and producer position of a ring, and its own head.
const RING_PAGES: u64 = 3;
/// What the maps are sized for in `agent-ebpf/src/maps.rs`.
const OOM_VICTIM_ENTRIES: u64 = 1_024;
const RING_BYTES: [u64; 2] = [512 * 1024, 64 * 1024];
/// A lifecycle record with the longest path.
const LIFECYCLE_SCRATCH: u64 = 1_056;
const MAPS: u64 = 15;

/// A node.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Possible CPUs.
    pub cpus: u64,
    /// Address prefixes of both families.
    pub prefixes: u64,
}

/// Bytes, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// The tables of accounts and of their keys: all of it is taken at load.
    pub accounts: u64,
    /// One value for each CPU.
    pub per_cpu: u64,
    /// Rings.
    pub rings: u64,
    /// OOM victims: taken at load too.
    pub oom_victims: u64,
    /// Prefix trees, plain arrays and the maps themselves.
    pub other: u64,
}

impl Footprint {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.accounts + self.per_cpu + self.rings + self.oom_victims + self.other
    }
}

/// The memory of all maps on `node`.
pub fn footprint(node: Node) -> Footprint {
    let shards = node.cpus.next_power_of_two().min(u64::from(MAX_SHARDS));
    let network = u64::from(NETWORK_ACCOUNTS_PER_SHARD) * shards;
    Footprint {
        accounts: table(u64::from(CPU_ACCOUNTS), size_of::<CpuUsage>())
            + table(network, size_of::<NetworkUsage>()),
        per_cpu: node.cpus * per_cpu_bytes(),
        rings: RING_BYTES
            .iter()
            .map(|bytes| bytes + RING_PAGES * PAGE)
            .sum(),
        oom_victims: OOM_VICTIM_ENTRIES * HASH_BUCKET
            // One more element for each CPU, to replace an entry that is in use.
            + (OOM_VICTIM_ENTRIES + node.cpus) * (HASH_HEADER + 8 + size_of::<OomRecord>() as u64),
        other: node.prefixes * 2 * PREFIX_NODE
            + u64::from(ACTIVE_CELLS + CONTROL_CELLS) * 8
            + MAPS * MAP_HEADER,
    }
}

/// Two arrays, in whole pages: accounts, and a key of 8 bytes for each.
fn table(places: u64, account_bytes: usize) -> u64 {
    (places * account_bytes as u64).next_multiple_of(PAGE) + (places * 8).next_multiple_of(PAGE)
}

fn per_cpu_bytes() -> u64 {
    let cache = u64::from(CLASS_CACHE_ENTRIES) * size_of::<ClassCacheEntry>() as u64;
    let totals = size_of::<CpuTotals>() + size_of::<NetworkTotals>() + LOSSES * 8;
    cache + totals as u64 + LIFECYCLE_SCRATCH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest node that is promised, with every map full: 96 CPUs, 500 prefixes, 8 MiB.
    #[test]
    fn a_node_of_96_cpus_fits_into_8_mib() {
        let footprint = footprint(Node {
            cpus: 96,
            prefixes: 500,
        });
        let total = footprint.total();
        assert!(total <= 8 << 20, "{total} of {footprint:?}");
        // Room for twice the cgroups that are promised, so that places are found at once.
        const { assert!(CPU_ACCOUNTS >= 4_000 && NETWORK_ACCOUNTS_PER_SHARD >= 4_000) };
    }
}
