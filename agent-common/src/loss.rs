//! One counter for each place where something can get lost.

/// No room in `NETWORK`: the packet went to `unattributed`.
pub const LOSS_NETWORK_FULL: u32 = 0;
/// No room in `CPU`: the time went to `unattributed`.
pub const LOSS_CPU_FULL: u32 = 1;
/// No room in `LIFECYCLE`: a birth, removal or release was not told.
pub const LOSS_LIFECYCLE_RING: u32 = 2;
/// No room in `OOM_RECORDS`: a mark or an exit was not told.
pub const LOSS_OOM_RING: u32 = 3;
/// No room in `OOM_VICTIMS`: a kill is told by its mark alone.
pub const LOSS_OOM_VICTIMS: u32 = 4;
/// Cells of the map `LOSS`.
pub const LOSSES: usize = 5;

/// Name of each loss, as metrics and rows tell it.
pub const LOSS_NAMES: [&str; LOSSES] = [
    "network_map_full",
    "cpu_map_full",
    "lifecycle_ring_full",
    "oom_ring_full",
    "oom_map_full",
];
