//! The host's CPU time is the sum over all cgroups and what found no account.

use std::time::{Duration, Instant};

use agent::kernel::{Kernel, Snapshot, Source};
use agent_common::loss::LOSS_CPU_FULL;
use anyhow::{Result, bail, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, measured, say},
    load::jobs::Job,
    process::Running,
};

use crate::basics::options;

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "cpu_total_is_the_sum_of_all_cgroups",
        needs: &[],
        run: enough_room,
    },
    Test {
        name: "cpu_total_is_the_sum_with_ten_times_more_cgroups_than_accounts",
        needs: &[],
        run: too_little_room,
    },
];

const ACCOUNTS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(60);

fn enough_room() -> Result<()> {
    let snapshot = run_jobs(None)?;
    ensure!(
        snapshot.cpu_totals.unattributed_ns == 0,
        "something found no account"
    );
    ensure!(
        snapshot.losses[LOSS_CPU_FULL as usize] == 0,
        "a loss was counted"
    );
    measured("CPU total against all cgroups", "exact", "0 ns");
    Ok(())
}

fn too_little_room() -> Result<()> {
    let snapshot = run_jobs(Some(ACCOUNTS))?;
    let (accounts, losses) = (snapshot.cpu.len(), snapshot.losses[LOSS_CPU_FULL as usize]);
    let unattributed_ns = snapshot.cpu_totals.unattributed_ns;
    say(&format!(
        "{accounts} accounts, {losses} losses, {unattributed_ns} ns unattributed"
    ));
    ensure!(
        accounts <= ACCOUNTS as usize,
        "there are {accounts} accounts"
    );
    ensure!(
        losses > 0 && unattributed_ns > 0,
        "nothing was told to be lost"
    );
    measured(
        "CPU total against all cgroups and unattributed, with 160 cgroups for 16 accounts",
        "exact",
        "0 ns",
    );
    Ok(())
}

/// Ten times as many cgroups as the small map holds, three milliseconds in each.
fn run_jobs(max_accounts: Option<u32>) -> Result<Snapshot> {
    let mut options = options()?;
    options.max_accounts = max_accounts;
    options.sources = vec![Source::Cpu];
    let mut kernel = Kernel::start(&options)?;
    let parent = TestCgroup::new("totals")?;
    let directory = parent.directory.to_string_lossy().into_owned();
    let jobs = (10 * ACCOUNTS).to_string();
    let arguments = [directory.as_str(), &jobs, "4", "3", "3000", "0"];
    let told = Running::start(&TestCgroup::new("jobs")?, None, "jobs", &arguments)?.finish()?;
    let ended: Vec<Job> = told.lines().map(Job::parse).collect::<Result<_>>()?;
    ensure!(ended.len() == 10 * ACCOUNTS as usize, "jobs are missing");
    let ended_ns = take_ended(&kernel, &ended)?;
    in_a_quiet_moment(&mut kernel, ended_ns)
}

/// Takes the accounts of ended jobs out of the map: what is left is read faster than anything runs.
fn take_ended(kernel: &Kernel, jobs: &[Job]) -> Result<u64> {
    let mut taken_ns = 0;
    for job in jobs {
        taken_ns += kernel.account(job.id)?.0.map_or(0, |cpu| cpu.run_ns);
        kernel.remove_account(job.id)?;
    }
    Ok(taken_ns)
}

/// The map is read before the totals; in between the host must not run anything else for long
/// enough to be charged. The sum may never be more than the total.
fn in_a_quiet_moment(kernel: &mut Kernel, ended_ns: u64) -> Result<Snapshot> {
    let deadline = Instant::now() + PATIENCE;
    let mut readings = 0;
    while Instant::now() < deadline {
        let snapshot = kernel.read()?;
        let (sum, totals) = (sum(&snapshot) + ended_ns, snapshot.cpu_totals);
        ensure!(
            sum <= totals.run_ns,
            "the cgroups hold {sum} ns of {totals:?}"
        );
        readings += 1;
        if sum == totals.run_ns {
            say(&format!("{sum} ns on both sides, at reading {readings}"));
            return Ok(snapshot);
        }
        kernel.wait(3)?;
    }
    bail!("the sum of all cgroups never was the total")
}

fn sum(snapshot: &Snapshot) -> u64 {
    let accounts: u64 = snapshot.cpu.values().map(|usage| usage.run_ns).sum();
    accounts + snapshot.cpu_totals.unattributed_ns
}
