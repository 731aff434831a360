//! OOM kills: the mark in the allocator's context, completed when the victim's last thread exits.

/// A task was marked as victim; it may not have died yet.
pub const OOM_MARKED: u32 = 1;
/// The last thread of a marked process exited.
pub const OOM_EXITED: u32 = 2;

/// Bytes of a task's name, zero-padded.
pub const COMM_BYTES: usize = 16;

/// A mark, and what its process's exit added. Fields of the exit are 0 in an [`OOM_MARKED`] record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomRecord {
    /// [`OOM_MARKED`] or [`OOM_EXITED`].
    pub kind: u32,
    /// The thread that was marked. Kernels that pass the task with the mark (6.8 on) tell its
    /// process instead.
    pub marked_tid: u32,
    /// The process, known from its exit on.
    pub pid: u32,
    /// Thread whose allocation led to the kill.
    pub allocator_tid: u32,
    /// Process whose allocation led to the kill.
    pub allocator_pid: u32,
    /// Wait status of the last thread: its lower seven bits are the signal.
    pub exit_code: u32,
    /// When the mark was made, on the boot clock.
    pub marked_ns: u64,
    /// When the last thread exited, on the boot clock.
    pub exited_ns: u64,
    /// Cgroup of the allocator.
    pub allocator_cgroup_id: u64,
    /// Cgroup of the victim.
    pub cgroup_id: u64,
    /// Peak resident memory of the process, in pages.
    pub peak_rss_pages: u64,
    /// Name of the process: that of its first thread, which may have ended long before the others.
    pub comm: [u8; COMM_BYTES],
}

const _: () = assert!(size_of::<OomRecord>() == 80);
