//! The kernel's own run statistics: total time and number of runs of each program.

use std::os::fd::OwnedFd;

use agent::kernel::Kernel;
use anyhow::{Context as _, Result, bail};
use aya::{
    programs::{ProgramInfo, loaded_programs},
    sys::{Stats, enable_stats},
};

/// Keeps the statistics on for as long as it lives.
pub(crate) struct Statistics(#[expect(dead_code, reason = "held open")] OwnedFd);

impl Statistics {
    pub(crate) fn on() -> Result<Self> {
        Ok(Self(enable_stats(Stats::RunTime)?))
    }
}

/// Time and runs of one program until now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    pub(super) ns: u64,
    pub(super) count: u64,
}

impl Runs {
    pub(super) fn of(id: u32) -> Result<Self> {
        let info = info(id)?;
        Ok(Self {
            ns: u64::try_from(info.run_time().as_nanos())?,
            count: info.run_count(),
        })
    }

    /// Nanoseconds of one run since `earlier`.
    pub(super) fn ns_each_since(self, earlier: Self) -> Result<f64> {
        let count = self.count - earlier.count;
        if count == 0 {
            bail!("a measured program did not run: its hook saw nothing");
        }
        Ok((self.ns - earlier.ns) as f64 / count as f64)
    }
}

/// Time of one run of each program of `ids` while `work` is done.
pub(super) fn ns_each<const N: usize>(
    ids: [u32; N],
    work: impl FnOnce() -> Result<()>,
) -> Result<[f64; N]> {
    let before = ids
        .iter()
        .map(|id| Runs::of(*id))
        .collect::<Result<Vec<_>>>()?;
    work()?;
    let mut each = [0.0; N];
    for (index, id) in ids.into_iter().enumerate() {
        each[index] = Runs::of(id)?.ns_each_since(before[index])?;
    }
    Ok(each)
}

/// A loaded program by its number.
pub(super) fn info(id: u32) -> Result<ProgramInfo> {
    loaded_programs()
        .filter_map(Result::ok)
        .find(|info| info.id() == id)
        .with_context(|| format!("program {id} is gone"))
}

/// The number of one of ours.
pub(super) fn id_of(kernel: &Kernel, name: &str) -> Result<u32> {
    kernel
        .program_ids()
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, id)| *id)
        .with_context(|| format!("{name} does not run: {:?}", kernel.sources()))
}
