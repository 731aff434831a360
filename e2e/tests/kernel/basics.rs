//! Loading: every source runs on every kernel that is tested.

use agent::kernel::{Kernel, Options, Source};
use anyhow::{Context as _, Result, ensure};
use e2e::{harness::Test, process::Workload};

pub(crate) const WORKLOADS: &[Workload] = &[];
pub(crate) const TESTS: &[Test] = &[Test {
    name: "load_all_sources",
    needs: &[],
    run: all_sources_load,
}];

/// Options for a test: no pins, so that tests and a running agent don't meet.
pub(crate) fn options() -> Result<Options> {
    let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
    let mut options = Options::new(root);
    options.pins = None;
    Ok(options)
}

fn all_sources_load() -> Result<()> {
    let kernel = Kernel::start(&options()?)?;
    for source in Source::ALL {
        ensure!(
            kernel.sources().is_active(source),
            "{source}: {:?}",
            kernel.sources().state(source)
        );
    }
    Ok(())
}
