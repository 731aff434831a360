//! OOM kills against what the victim's parent learns from `wait4`.

use std::{collections::HashSet, time::Instant};

use agent::{
    join::oom::{Kill, OomLedger, Outcome},
    kernel::{Kernel, OomEvent, sys::boot_ns},
};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Need, Test, measured, say},
    memory::{Limited, NAME, Victim},
    process::Running,
};

use crate::basics::options;

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "oom_of_a_child_while_the_main_process_lives",
        needs: &[],
        run: one_child,
    },
    Test {
        name: "oom_of_another_process_than_the_allocator",
        needs: &[],
        run: bystander,
    },
    Test {
        name: "oom_of_many_threads_whose_first_has_ended",
        needs: &[],
        run: threads_without_leader,
    },
    Test {
        name: "oom_of_a_group_is_one_incident",
        needs: &[Need::MemoryController],
        run: group,
    },
    Test {
        name: "oom_of_100_processes_in_a_row",
        needs: &[],
        run: hundred,
    },
];

const MIB: u64 = 1024 * 1024;

/// Everything that was told while a workload ran, and what it says itself.
pub(crate) struct Told {
    pub(crate) victims: Vec<Victim>,
    pub(crate) events: Vec<OomEvent>,
}

/// Runs a workload to its end. Its parent has waited for each victim, so all is told by then.
fn run(limited: &Limited, name: &str, arguments: &[&str]) -> Result<Told> {
    let mut kernel = Kernel::start(&options()?)?;
    let main = TestCgroup::new("main")?;
    let directories = limited.argument();
    let arguments = [&[directories.as_str()], arguments].concat();
    let told = Running::start(&main, None, name, &arguments)?.finish()?;
    Ok(Told {
        victims: Victim::parse_all(&told)?,
        events: events(&mut kernel)?,
    })
}

pub(crate) fn events(kernel: &mut Kernel) -> Result<Vec<OomEvent>> {
    let mut events = Vec::new();
    kernel.oom_events(|event| events.push(event));
    Ok(events.into_iter().collect::<Result<_, _>>()?)
}

/// Checks that each victim is told exactly once, rightly, and returns the finished kills.
pub(crate) fn check(told: &Told, cgroup_id: u64, outcome: Outcome) -> Result<Vec<Kill>> {
    let pids: HashSet<u32> = told.victims.iter().map(|victim| victim.pid).collect();
    let mut ledger = OomLedger::default();
    told.events
        .iter()
        .for_each(|event| ledger.on_event(event.clone()));
    let kills = ledger.finish(boot_ns());
    let kills: Vec<Kill> = kills
        .into_iter()
        .filter(|kill| pids.contains(&kill.pid))
        .collect();
    for victim in &told.victims {
        let expected = Kill {
            cgroup_id,
            outcome,
            pid: victim.pid,
            comm: NAME.to_owned(),
            peak_rss_bytes: Some(victim.peak_rss_bytes),
            ..kill_of(&kills, victim)?.clone()
        };
        let kill = kill_of(&kills, victim)?;
        ensure!(*kill == expected, "{kill:?} was told, {expected:?} is true");
        let was_killed = victim.status == libc::SIGKILL;
        ensure!(kill.is_kill() == was_killed, "{kill:?} of {victim:?}");
    }
    ensure!(
        kills.len() == told.victims.len(),
        "{kills:?} of {:?}",
        told.victims
    );
    Ok(kills)
}

fn kill_of<'a>(kills: &'a [Kill], victim: &Victim) -> Result<&'a Kill> {
    let told = kills.iter().find(|kill| kill.pid == victim.pid);
    told.with_context(|| format!("{victim:?} was not told"))
}

fn check_allocators(told: &Told, kills: &[Kill]) -> Result<()> {
    for victim in &told.victims {
        let allocator = kill_of(kills, victim)?.allocator_pid;
        ensure!(
            allocator == victim.allocator_pid,
            "{allocator} is not that of {victim:?}"
        );
    }
    Ok(())
}

fn incidents(kills: &[Kill]) -> usize {
    kills
        .iter()
        .map(|kill| kill.incident)
        .collect::<HashSet<_>>()
        .len()
}

fn id(limited: &Limited) -> Result<u64> {
    Ok(limited.cgroup.as_ref().context("no v2 cgroup")?.id)
}

fn one_child() -> Result<()> {
    let limited = Limited::new("child", 32 * MIB)?;
    let told = run(&limited, "oom-children", &["1"])?;
    let kills = check(&told, id(&limited)?, Outcome::Killed)?;
    check_allocators(&told, &kills)
}

/// Victim and allocator share the limit, not the cgroup. The kernel frees a victim's last 40 MiB just
/// after it stops waiting for them: with less to free, the allocator could be next.
fn bystander() -> Result<()> {
    let limited = Limited::new("bystander", 120 * MIB)?;
    let shared = limited.cgroup.as_ref().context("no v2 cgroup")?;
    let own = shared.child("victim")?;
    let directory = own.directory.to_string_lossy().into_owned();
    let told = run(&limited, "oom-bystander", &["96", "48", &directory])?;
    let kills = check(&told, own.id, Outcome::Killed)?;
    ensure!(
        told.victims[0].allocator_pid != told.victims[0].pid,
        "nothing shown"
    );
    check_allocators(&told, &kills)
}

fn threads_without_leader() -> Result<()> {
    let limited = Limited::new("threads", 48 * MIB)?;
    let told = run(&limited, "oom-threads", &["16"])?;
    let kills = check(&told, id(&limited)?, Outcome::Killed)?;
    check_allocators(&told, &kills)
}

fn group() -> Result<()> {
    let limited = Limited::new("group", 32 * MIB)?;
    let cgroup = limited.cgroup.as_ref().context("no v2 cgroup")?;
    cgroup.write("memory.oom.group", "1")?;
    let told = run(&limited, "oom-group", &["5"])?;
    let kills = check(&told, id(&limited)?, Outcome::Killed)?;
    ensure!(kills.len() == 5, "{} of 5 were told", kills.len());
    ensure!(
        incidents(&kills) == 1,
        "{} incidents were told",
        incidents(&kills)
    );
    check_allocators(&told, &kills)
}

fn hundred() -> Result<()> {
    let limited = Limited::new("hundred", 6 * MIB)?;
    let start = Instant::now();
    let told = run(&limited, "oom-children", &["100"])?;
    say(&format!("100 kills in {} ms", start.elapsed().as_millis()));
    let kills = check(&told, id(&limited)?, Outcome::Killed)?;
    ensure!(kills.len() == 100, "{} of 100 were told", kills.len());
    ensure!(
        incidents(&kills) == 100,
        "{} incidents were told",
        incidents(&kills)
    );
    measured(
        "100 OOM kills in a row: victim, name, cgroup, peak memory, incident",
        "all",
        &format!("{} right", kills.len()),
    );
    check_allocators(&told, &kills)
}
