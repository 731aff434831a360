//! `getrandom` and `clock_gettime` of the C library, for every crate in a program that has this file: a
//! thread in a simulation is answered by [`os`], any other by the kernel. Only the simulation's own
//! program and the tests of this crate have it.

use super::os;

/// As `getrandom(2)`.
///
/// # Safety
/// `out` must be valid for writes of `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(out: *mut u8, len: usize, flags: u32) -> isize {
    let mut bytes = vec![0; if out.is_null() { 0 } else { len }];
    if os::fill(&mut bytes) {
        // SAFETY: the caller says that `len` bytes may be written; `bytes` is as long, or empty.
        unsafe { out.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        return isize::try_from(bytes.len()).unwrap_or(isize::MAX);
    }
    // SAFETY: the arguments go to the kernel as they came.
    let got = unsafe { libc::syscall(libc::SYS_getrandom, out, len, flags) };
    isize::try_from(got).unwrap_or(-1)
}

/// As `clock_gettime(2)`.
///
/// # Safety
/// `out` must be valid for the write of a `timespec`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, out: *mut libc::timespec) -> i32 {
    if let Some(now) = os::now()
        && !out.is_null()
    {
        let shown = match clock {
            libc::CLOCK_REALTIME => now.wall,
            _ => now.steady,
        };
        let time = libc::timespec {
            tv_sec: i64::try_from(shown.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(shown.subsec_nanos()),
        };
        // SAFETY: the caller says so.
        unsafe { out.write(time) };
        return 0;
    }
    // SAFETY: the arguments go to the kernel as they came.
    let answer = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, out) };
    i32::try_from(answer).unwrap_or(-1)
}
