//! CPU time of one reading of everything, as an agent does it at the end of each window.

use agent::kernel::{Kernel, Source};
use anyhow::Result;

use super::{CGROUPS, maps, options};
use crate::numbers::median;

const ROUNDS: usize = 101;

/// Milliseconds of CPU time of one read.
pub(super) fn measure() -> Result<f64> {
    let mut kernel = Kernel::start(&options(&Source::ALL)?)?;
    maps::fill(&kernel, CGROUPS)?;
    let mut each = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = thread_cpu_ns();
        let snapshot = kernel.read()?;
        let after = thread_cpu_ns();
        anyhow::ensure!(snapshot.cpu.len() as u64 >= CGROUPS, "accounts are missing");
        each.push((after - before) as f64 / 1e6);
    }
    Ok(median(each))
}

#[expect(unsafe_code, reason = "the CPU clock of a thread has no safe wrapper")]
fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a valid pointer; this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
