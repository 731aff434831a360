//! OOM kills at the edges: outside any pod, and of a process that was ending already.

use std::fs;

use agent::{
    join::oom::{EXIT_PATIENCE_NS, OomLedger, Outcome},
    kernel::{Kernel, OomEvent, sys::boot_ns},
};
use anyhow::{Context as _, Result, ensure};
use e2e::{
    cgroup::{TestCgroup, write},
    harness::Test,
    memory::{Limited, Victim, v1_memory_root},
    process::Running,
};

use crate::{
    basics::options,
    oom::{Told, check, events},
};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "oom_outside_any_pod_is_told_under_the_root",
        needs: &[],
        run: root,
    },
    Test {
        name: "oom_of_a_process_that_ends_by_itself_is_no_kill",
        needs: &[],
        run: already_ending,
    },
];

const MIB: u64 = 1024 * 1024;
/// The v2 root cgroup's id.
const ROOT_ID: u64 = 1;

/// With a v1 hierarchy, by a limit beside the root; else the root has none, and the whole machine's
/// OOM killer is asked to choose.
fn root() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let main = TestCgroup::new("main")?;
    let root = options()?.cgroup_root.to_string_lossy().into_owned();
    let told = if v1_memory_root().is_some() {
        let mut limited = Limited::without_v2("root", 32 * MIB)?;
        limited.directories.push(root.into());
        Running::start(&main, None, "oom-children", &[&limited.argument(), "1"])?.finish()?
    } else {
        let mut load = Running::start(&main, None, "oom-sitting", &[&root, "16"])?;
        let victim = load.line()?.parse()?;
        ensure_first_choice(victim)?;
        write("/proc/sysrq-trigger".as_ref(), "f")?;
        load.finish()?
    };
    let victims = Victim::parse_all(&told)?;
    let events = events(&mut kernel)?;
    check(&Told { victims, events }, ROOT_ID, Outcome::Killed).map(drop)
}

/// Nobody else's process may be killed by a test.
fn ensure_first_choice(pid: u32) -> Result<()> {
    let score = |pid: &str| -> Option<u64> {
        fs::read_to_string(format!("/proc/{pid}/oom_score"))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let own = score(&pid.to_string()).context("the victim has no score")?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.parse::<u32>().is_ok_and(|other| other != pid) {
            ensure!(
                score(&name) < Some(own),
                "process {name} could be killed instead"
            );
        }
    }
    Ok(())
}

/// A process is stopped in the middle of its end and chosen then: it gets its mark, but no kill.
fn already_ending() -> Result<()> {
    let mut kernel = Kernel::start(&options()?)?;
    let main = TestCgroup::new("main")?;
    let limited = Limited::new("ending", 40 * MIB)?;
    let arguments = [limited.argument(), "24".to_owned(), "24".to_owned()];
    let arguments = arguments.each_ref().map(String::as_str);
    let mut load = Running::start(&main, None, "oom-ending", &arguments)?;
    let pid: u32 = load.line()?.parse()?;
    let mut told = events(&mut kernel)?;
    let is_end =
        |event: &OomEvent| matches!(event, OomEvent::Exited { pid: ended, .. } if *ended == pid);
    let is_mark = |event: &OomEvent| matches!(event, OomEvent::Marked(mark) if mark.tid == pid);
    ensure!(told.iter().any(is_mark), "the process was not marked");
    ensure!(!told.iter().any(is_end), "it is told to have ended");
    check_not_exited(&told, pid)?;
    load.tell("end")?;
    let victims = Victim::parse_all(&load.finish()?)?;
    told.extend(events(&mut kernel)?);
    let cgroup_id = limited.cgroup.as_ref().context("no v2 cgroup")?.id;
    let told = Told {
        victims,
        events: told,
    };
    check(&told, cgroup_id, Outcome::Marked).map(drop)
}

/// What would be told if it never ended.
fn check_not_exited(told: &[OomEvent], pid: u32) -> Result<()> {
    let mut ledger = OomLedger::default();
    told.iter().for_each(|event| ledger.on_event(event.clone()));
    let kills = ledger.finish(boot_ns() + EXIT_PATIENCE_NS);
    let kill = kills
        .iter()
        .find(|kill| kill.pid == pid)
        .context("it is not told at all")?;
    ensure!(kill.outcome == Outcome::NotExited, "{kill:?} is told");
    Ok(())
}
