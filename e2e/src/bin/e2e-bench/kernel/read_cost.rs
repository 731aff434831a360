//! CPU time of one reading of everything, as an agent does it at the end of each window.

use agent::kernel::{Kernel, Source};
use anyhow::Result;

use super::{CGROUPS, maps, options};
use crate::numbers::{Of, cpu_time, median};

const ROUNDS: usize = 101;

/// Milliseconds of CPU time of one read.
pub(super) fn measure() -> Result<f64> {
    let mut kernel = Kernel::start(&options(&Source::ALL)?)?;
    maps::fill(&kernel, CGROUPS)?;
    let mut each = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = cpu_time(Of::Thread);
        let snapshot = kernel.read()?;
        let after = cpu_time(Of::Thread);
        anyhow::ensure!(snapshot.cpu.len() as u64 >= CGROUPS, "accounts are missing");
        each.push((after - before).as_secs_f64() * 1e3);
    }
    Ok(median(each))
}
