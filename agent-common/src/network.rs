//! Bytes and packets of one cgroup, by class of the other end.

/// The prefix tables had no answer yet.
pub const CLASS_UNKNOWN: u32 = 0;
/// Over the loopback interface.
pub const CLASS_LOOPBACK: u32 = 1;
/// An address of this node.
pub const CLASS_NODE: u32 = 2;
/// A private, link-local or multicast address.
pub const CLASS_PRIVATE: u32 = 3;
/// Any other address.
pub const CLASS_INTERNET: u32 = 4;
/// A private address known to be in this node's zone.
pub const CLASS_SAME_ZONE: u32 = 5;
/// A private address known to be in another zone.
pub const CLASS_CROSS_ZONE: u32 = 6;
/// Number of classes.
pub const CLASSES: usize = 7;

/// Most shards of one cgroup's account. CPUs share a shard by `cpu % shards`.
pub const MAX_SHARDS: u32 = 4;
/// Position of the shard number in the key; cgroup ids stay below (32-bit inode, generation above).
pub const SHARD_SHIFT: u32 = 60;

/// IP packets both ways, link layer excluded, offloaded segments counted one by one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes handed to the stack by local sockets.
    pub tx_bytes: u64,
    /// Packets handed to the stack by local sockets.
    pub tx_packets: u64,
    /// Bytes delivered to local sockets.
    pub rx_bytes: u64,
    /// Packets delivered to local sockets.
    pub rx_packets: u64,
}

/// The account of one cgroup in one shard.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkUsage {
    /// By class.
    pub classes: [Traffic; CLASSES],
}

impl NetworkUsage {
    /// An account that nothing was charged to.
    pub const ZERO: Self = Self {
        classes: [Traffic {
            tx_bytes: 0,
            tx_packets: 0,
            rx_bytes: 0,
            rx_packets: 0,
        }; CLASSES],
    };
}

/// What one CPU saw in all, and what of it found no place in the map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkTotals {
    /// All packets that the hook saw.
    pub total: Traffic,
    /// The part that no cgroup's account could take.
    pub unattributed: Traffic,
}

/// One answer of the prefix tables, kept for each CPU. `check` is [`cache_check`] xor
/// generation and class: an entry torn by an interrupt fails it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCacheEntry {
    /// Upper half of the address (0 for IPv4).
    pub high: u64,
    /// Lower half of the address.
    pub low: u64,
    /// See above.
    pub check: u64,
}

/// Entries of the class cache of each CPU; a power of two.
pub const CLASS_CACHE_ENTRIES: u32 = 256;

/// Mixes an address into 64 bits; its upper bits choose the cache entry.
#[inline(always)]
pub const fn cache_check(high: u64, low: u64) -> u64 {
    (low ^ high.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// The cache entry of an address with this check.
#[inline(always)]
pub const fn cache_index(check: u64) -> u32 {
    (check >> 56) as u32 & (CLASS_CACHE_ENTRIES - 1)
}

/// Key of one cgroup's account in one shard.
#[inline(always)]
pub const fn network_key(cgroup_id: u64, shard: u32) -> u64 {
    cgroup_id | (shard as u64) << SHARD_SHIFT
}

/// The cgroup of a key.
#[inline(always)]
pub const fn key_cgroup(key: u64) -> u64 {
    key & ((1 << SHARD_SHIFT) - 1)
}

const _: () = assert!(size_of::<NetworkUsage>() == 224);
const _: () = assert!(size_of::<NetworkTotals>() == 64);
const _: () = assert!(size_of::<ClassCacheEntry>() == 24);
const _: () = assert!(MAX_SHARDS.is_power_of_two() && CLASS_CACHE_ENTRIES.is_power_of_two());
