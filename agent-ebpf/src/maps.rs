//! All maps. Those that hold counters and records are pinned by the loader and outlive it; whoever
//! changes one raises `agent_common::LAYOUT`.

use agent_common::{
    control::{ACTIVE_CELLS, CONTROL_CELLS},
    cpu::{CpuTotals, CpuUsage},
    lifecycle::{CgroupRecord, PATH_BYTES},
    loss::LOSSES,
    network::{CLASS_CACHE_ENTRIES, ClassCacheEntry, NetworkTotals, NetworkUsage},
    oom::OomRecord,
    table::{CPU_ACCOUNTS, NETWORK_ACCOUNTS_PER_SHARD},
};
use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    helpers::bpf_get_smp_processor_id,
    macros::map,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, RingBuf},
};

use crate::{atomic, globals};

/// Most prefixes of each address family.
pub(crate) const PREFIX_ENTRIES: u32 = 16_384;
/// OOM victims that have not exited yet. Their memory is taken beforehand: the victim was killed just
/// before its mark, and may be gone before an entry could be allocated.
pub(crate) const OOM_VICTIM_ENTRIES: u32 = 1_024;
/// About 4,000 births and deaths between two reads.
pub(crate) const LIFECYCLE_BYTES: u32 = 512 * 1024;
/// About 700 OOM records between two reads.
pub(crate) const OOM_BYTES: u32 = 64 * 1024;

#[map]
pub(crate) static ACTIVE: Array<u32> = Array::with_max_entries(ACTIVE_CELLS, 0);
#[map]
pub(crate) static CONTROL: Array<u32> = Array::with_max_entries(CONTROL_CELLS, 0);
#[map]
pub(crate) static CPU: Array<CpuUsage> = Array::with_max_entries(CPU_ACCOUNTS, 0);
#[map]
pub(crate) static CPU_KEYS: Array<u64> = Array::with_max_entries(CPU_ACCOUNTS, BPF_F_MMAPABLE);
/// Beside each key, the place of the account that keeps its windows; see `agent_common::table::owned_by`.
/// The kernel gives a cell of a mapped array 8 bytes, whatever it holds.
#[map]
pub(crate) static CPU_OWNERS: Array<u64> = Array::with_max_entries(CPU_ACCOUNTS, BPF_F_MMAPABLE);
#[map]
pub(crate) static CPU_TOTALS: PerCpuArray<CpuTotals> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static NETWORK: Array<NetworkUsage> =
    Array::with_max_entries(NETWORK_ACCOUNTS_PER_SHARD, 0);
#[map]
pub(crate) static NETWORK_KEYS: Array<u64> =
    Array::with_max_entries(NETWORK_ACCOUNTS_PER_SHARD, BPF_F_MMAPABLE);
#[map]
pub(crate) static NETWORK_TOTALS: PerCpuArray<NetworkTotals> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static PREFIXES_V4: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(PREFIX_ENTRIES, 0);
#[map]
pub(crate) static PREFIXES_V6: LpmTrie<[u8; 16], u32> =
    LpmTrie::with_max_entries(PREFIX_ENTRIES, 0);
#[map]
pub(crate) static CLASS_CACHE: PerCpuArray<ClassCacheEntry> =
    PerCpuArray::with_max_entries(CLASS_CACHE_ENTRIES, 0);
#[map]
pub(crate) static OOM_VICTIMS: HashMap<u32, OomRecord> =
    HashMap::with_max_entries(OOM_VICTIM_ENTRIES, 0);
#[map]
pub(crate) static OOM_RECORDS: RingBuf = RingBuf::with_byte_size(OOM_BYTES, 0);
#[map]
pub(crate) static LIFECYCLE: RingBuf = RingBuf::with_byte_size(LIFECYCLE_BYTES, 0);
#[map]
pub(crate) static LIFECYCLE_SCRATCH: PerCpuArray<LifecycleScratch> =
    PerCpuArray::with_max_entries(1, 0);
#[map]
pub(crate) static LOSS: PerCpuArray<[u64; LOSSES]> = PerCpuArray::with_max_entries(1, 0);

/// Where a lifecycle record is put together; too large for the stack.
#[repr(C)]
pub(crate) struct LifecycleScratch {
    pub(crate) head: CgroupRecord,
    pub(crate) path: [u8; PATH_BYTES],
}

/// Counts one loss.
#[inline(always)]
pub(crate) fn lose(loss: u32) {
    if let Some(cells) = LOSS.get_ptr_mut(0)
        && (loss as usize) < LOSSES
    {
        // SAFETY: a live value of LOSSES cells, the index is below.
        atomic::add(unsafe { cells.cast::<u64>().add(loss as usize) }, 1);
    }
}

/// The value of a control cell.
#[inline(always)]
pub(crate) fn control(cell: u32) -> u32 {
    // SAFETY: a live value of one integer.
    CONTROL
        .get_ptr(cell)
        .map_or(0, |value| unsafe { core::ptr::read_volatile(value) })
}

/// Whether this version of the programs is the one that counts on this CPU.
#[inline(always)]
pub(crate) fn is_active() -> bool {
    // SAFETY: a helper without arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    // SAFETY: a live value of one integer.
    let active = ACTIVE
        .get_ptr(cpu)
        .map_or(0, |value| unsafe { core::ptr::read_volatile(value) });
    active == globals::version()
}
