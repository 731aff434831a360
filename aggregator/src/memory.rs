//! What a commit takes is given back when it is over.
//!
//! The allocator of glibc keeps an arena for each thread that ever allocated, and in each of them the most that it
//! was ever asked for; beside 5,000 connections that is as much again as the connections themselves.

/// The same without giving anything back: memory is taken from the kernel but once.
#[cfg(target_env = "gnu")]
pub fn share(arenas: std::ffi::c_int) {
    // SAFETY: it takes two numbers, and what it does not know it refuses.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
}

/// See the other.
#[cfg(not(target_env = "gnu"))]
pub fn share(_: std::ffi::c_int) {}

/// To be called before there are threads, with the most arenas that there may be: threads that share one wait for each
/// other. Another C library has no such arenas.
#[cfg(target_env = "gnu")]
pub fn give_back(arenas: std::ffi::c_int) {
    // Large pieces, the columns of a file, come from the kernel and go back to it.
    const LARGE: std::ffi::c_int = 128 << 10;
    for (setting, value) in [
        (libc::M_ARENA_MAX, arenas),
        (libc::M_MMAP_THRESHOLD, LARGE),
        (libc::M_TRIM_THRESHOLD, LARGE),
    ] {
        // SAFETY: it takes two numbers, and what it does not know it refuses.
        unsafe { libc::mallopt(setting, value) };
    }
}

/// See the other.
#[cfg(not(target_env = "gnu"))]
pub fn give_back(_: std::ffi::c_int) {}
