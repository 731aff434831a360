//! Birth, death and release of cgroups of the v2 hierarchy.

/// A cgroup was made.
pub const CGROUP_BORN: u32 = 1;
/// A cgroup was removed; packets still queued may follow under its id.
pub const CGROUP_REMOVED: u32 = 2;
/// The last reference to a removed cgroup is gone; nothing can follow.
pub const CGROUP_RELEASED: u32 = 3;

/// The kernel gives at most this much of a path, its final zero included.
pub const PATH_BYTES: usize = 1024;

/// Head of a lifecycle record; `path_bytes` bytes of path follow it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupRecord {
    /// [`CGROUP_BORN`], [`CGROUP_REMOVED`] or [`CGROUP_RELEASED`].
    pub kind: u32,
    /// Bytes of path after this head. At `PATH_BYTES - 1` the kernel may have cut it.
    pub path_bytes: u32,
    /// Id of the cgroup.
    pub cgroup_id: u64,
    /// When, on the boot clock.
    pub at_ns: u64,
    /// Depth below the root.
    pub level: u32,
    /// No field.
    pub reserved: u32,
}

const _: () = assert!(size_of::<CgroupRecord>() == 32);
