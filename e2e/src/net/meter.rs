//! The agent's network counters, read in quiet moments only: there every packet that the hook saw is
//! in a row or unattributed.

use std::{
    fmt::Debug,
    thread,
    time::{Duration, Instant},
};

use agent::kernel::{Kernel, Options, Prefix, Snapshot, Source, default_prefixes};
use agent_common::network::{CLASS_SAME_ZONE, CLASSES, Traffic};
use anyhow::{Context as _, Result, bail, ensure};

use super::pair::{TEST_V4, TEST_V6};

/// How long the last packets of a test may take to be counted.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long others on the machine may talk without a break.
const QUIET_PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(25);
/// Class of the addresses on test pairs, so that nothing else can be mistaken for them.
pub const TEST_CLASS: u32 = CLASS_SAME_ZONE;

/// The root of the hierarchy.
const ROOT_ID: u64 = 1;

/// The network programs alone, counting from zero.
pub struct Meter {
    /// For what a test needs beyond this.
    pub kernel: Kernel,
}

impl Meter {
    /// With the addresses of test pairs in [`TEST_CLASS`].
    pub fn start() -> Result<Self> {
        let prefix = |address, bits| Prefix {
            address,
            bits,
            class: TEST_CLASS,
        };
        let mut prefixes = default_prefixes();
        prefixes.push(prefix(TEST_V4.0.into(), TEST_V4.1));
        prefixes.push(prefix(TEST_V6.0.into(), TEST_V6.1));
        Self::with(|options| options.prefixes = prefixes)
    }

    /// With options of the test's own.
    pub fn with(change: impl FnOnce(&mut Options)) -> Result<Self> {
        let root = agent::cgroups::find_root().context("no cgroup v2 hierarchy is mounted")?;
        let mut options = Options::new(root);
        options.pins = None;
        options.sources = vec![Source::Network];
        change(&mut options);
        let kernel = Kernel::start(&options)?;
        let state = kernel.sources().state(Source::Network);
        ensure!(kernel.sources().is_active(Source::Network), "{state:?}");
        Ok(Self { kernel })
    }

    /// Reads at a moment when nothing is counted, and holds the sum against the hook's own total.
    pub fn quiet(&mut self) -> Result<Snapshot> {
        let snapshot = eventually_within(QUIET_PATIENCE, || {
            let (first, second) = (self.kernel.read()?, self.kernel.read()?);
            let is_quiet =
                first.network == second.network && first.network_totals == second.network_totals;
            ensure!(is_quiet, "there was no quiet moment");
            Ok(second)
        })?;
        conserved(&snapshot)?;
        Ok(snapshot)
    }

    /// Waits until `check` holds, and sees that it still does a little later.
    pub fn expect(&mut self, mut check: impl FnMut(&Snapshot) -> Result<()>) -> Result<Snapshot> {
        eventually(|| check(&self.quiet()?))?;
        thread::sleep(PAUSE);
        let snapshot = self.quiet()?;
        check(&snapshot).context("it held, but not for long")?;
        Ok(snapshot)
    }
}

/// Looks again and again until `look` is content; its last complaint after [`PATIENCE`].
pub fn eventually<T>(look: impl FnMut() -> Result<T>) -> Result<T> {
    eventually_within(PATIENCE, look)
}

fn eventually_within<T>(patience: Duration, mut look: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match look() {
            Err(_) if Instant::now() < deadline => thread::sleep(PAUSE),
            other => return other,
        }
    }
}

/// No byte and no packet is lost or counted twice between the hook and the rows.
fn conserved(snapshot: &Snapshot) -> Result<()> {
    let rows = snapshot.network.values().flatten().copied();
    let totals = &snapshot.network_totals;
    same(
        "rows and unattributed against the total",
        rows.fold(totals.unattributed, plus),
        totals.total,
    )
}

/// Traffic of one cgroup in all classes.
pub fn row(snapshot: &Snapshot, cgroup_id: u64) -> Traffic {
    classes(snapshot, cgroup_id)
        .into_iter()
        .fold(Traffic::default(), plus)
}

/// Traffic of one cgroup by class.
pub fn classes(snapshot: &Snapshot, cgroup_id: u64) -> [Traffic; CLASSES] {
    snapshot
        .network
        .get(&cgroup_id)
        .copied()
        .unwrap_or_default()
}

/// Traffic on test pairs that belongs to none of these cgroups: the kernel's own, all of it in the
/// row of the root cgroup.
pub fn kernels_own(snapshot: &Snapshot, cgroup_ids: &[u64]) -> Result<Traffic> {
    for (id, classes) in &snapshot.network {
        let class = classes[TEST_CLASS as usize];
        let is_known = *id == ROOT_ID || cgroup_ids.contains(id);
        ensure!(
            is_known || class == Traffic::default(),
            "cgroup {id} has {class:?} of others"
        );
    }
    Ok(classes(snapshot, ROOT_ID)[TEST_CLASS as usize])
}

/// The sum of two.
pub fn plus(left: Traffic, right: Traffic) -> Traffic {
    Traffic {
        tx_bytes: left.tx_bytes + right.tx_bytes,
        tx_packets: left.tx_packets + right.tx_packets,
        rx_bytes: left.rx_bytes + right.rx_bytes,
        rx_packets: left.rx_packets + right.rx_packets,
    }
}

/// `packets` of `bytes` each, sent.
pub fn sent(packets: u64, bytes: u64) -> Traffic {
    Traffic {
        tx_bytes: packets * bytes,
        tx_packets: packets,
        ..Traffic::default()
    }
}

/// `packets` of `bytes` each, received.
pub fn received(packets: u64, bytes: u64) -> Traffic {
    Traffic {
        rx_bytes: packets * bytes,
        rx_packets: packets,
        ..Traffic::default()
    }
}

/// Equality, told with names.
pub fn same<T: PartialEq + Debug + Copy>(what: &str, counted: T, truth: T) -> Result<()> {
    if counted != truth {
        bail!("{what}: counted {counted:?}, true is {truth:?}");
    }
    Ok(())
}
