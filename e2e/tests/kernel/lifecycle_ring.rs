//! More lifecycle records than their ring holds: what is missing is counted.

use std::{
    thread,
    time::{Duration, Instant},
};

use agent::kernel::{CgroupEvent, CgroupEventKind, Kernel, Source};
use agent_common::loss::LOSS_LIFECYCLE_RING;
use anyhow::{Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, measured},
};

use crate::{basics::options, lifecycle_names::Nested};

pub(crate) const TESTS: &[Test] = &[Test {
    name: "lifecycle_records_that_find_no_room_are_counted_exactly",
    needs: &[],
    run: overflow,
}];

/// Three records each, of nearly a kilobyte, for a ring of half a megabyte.
const CGROUPS: usize = 400;
const PATH_BYTES: usize = 900;
const PATIENCE: Duration = Duration::from_secs(60);

/// A reader of its own ring. What it is told before the marker's birth does not count: programs of
/// two readers do not start at the same moment.
struct Reader {
    kernel: Kernel,
    is_counting: bool,
    events: u64,
    released: u64,
}

impl Reader {
    fn start() -> Result<Self> {
        let mut options = options()?;
        options.sources = vec![Source::Lifecycle];
        Ok(Self {
            kernel: Kernel::start(&options)?,
            is_counting: false,
            events: 0,
            released: 0,
        })
    }

    fn listen(&mut self, marker: u64, parent: &str) -> Result<()> {
        let mut new = Vec::new();
        self.kernel.cgroup_events(|event| new.push(event));
        for event in new {
            let event: CgroupEvent = event?;
            self.is_counting |= event.cgroup_id == marker;
            self.events += u64::from(self.is_counting);
            let is_ours = event.path.starts_with(parent);
            self.released += u64::from(is_ours && event.kind == CgroupEventKind::Released);
        }
        Ok(())
    }

    fn lost(&mut self) -> Result<u64> {
        Ok(self.kernel.read()?.losses[LOSS_LIFECYCLE_RING as usize])
    }
}

fn overflow() -> Result<()> {
    let (mut late, mut steady) = (Reader::start()?, Reader::start()?);
    let marker = TestCgroup::new("marker")?;
    let nested = Nested::new(PATH_BYTES)?;
    let parent = nested.deepest()?;
    let deadline = Instant::now() + PATIENCE;
    for number in 0..CGROUPS {
        drop(parent.child(&number.to_string())?);
        steady.listen(marker.id, &parent.path)?;
    }
    while steady.released + steady.lost()? < CGROUPS as u64 {
        ensure!(
            Instant::now() < deadline,
            "{} releases were told",
            steady.released
        );
        thread::sleep(Duration::from_millis(5));
        steady.listen(marker.id, &parent.path)?;
    }
    compare(&mut late, &mut steady, marker.id, &parent.path, deadline)
}

/// What one has read and lost is what the other has. Other cgroups of the machine may come and go
/// between the readings of the two; with enough of them, the steady reader loses records too.
fn compare(
    late: &mut Reader,
    steady: &mut Reader,
    marker: u64,
    parent: &str,
    deadline: Instant,
) -> Result<()> {
    loop {
        late.listen(marker, parent)?;
        let (lost, lost_by_steady) = (late.lost()?, steady.lost()?);
        steady.listen(marker, parent)?;
        ensure!(
            lost > lost_by_steady,
            "nothing was lost: the ring is too large for this test"
        );
        let (read, all) = (late.events, steady.events + lost_by_steady);
        if read + lost == all {
            measured(
                "Lifecycle records lost by a full ring, as counted",
                "exact",
                &format!("0; {lost} of {all} lost"),
            );
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{read} read and {lost} lost are not {all}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}
