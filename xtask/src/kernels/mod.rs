//! `cargo xtask kernels`: the kernel tests of `e2e` on each supported kernel, line by line.

mod guest;
mod initramfs;
mod logs;
mod modules;

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::libtest::{Outcome, Tally, Test};
use crate::setup::kernel_images::{self, KernelImage};
use crate::test_binaries::{self, TestBinary};
use crate::watch::{self, Watched};
use crate::{build_ebpf, setup};
use logs::Logs;

/// The name of the kernel we run on, beside the versions of the guests.
pub(crate) const RUNNING: &str = "running";

/// Set to 1, it makes the tests fail where they would skip. Reaches the guests too.
const REQUIRE_ALL: &str = "PODLEDGER_REQUIRE_ALL";

/// For all tests on one kernel.
const LIMIT: Duration = Duration::from_secs(12 * 60);

/// Which kernels, and which tests.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this kernel: 6.1, 6.12, or `running` for the one we are on
    #[arg(long, value_parser = [RUNNING, "6.1", "6.12"])]
    kernel: Option<String>,
    /// Only tests whose name contains this
    #[arg(long)]
    filter: Option<String>,
}

impl Args {
    /// All tests on all kernels.
    pub(crate) fn everything() -> Self {
        Self {
            kernel: None,
            filter: None,
        }
    }
}

/// The running kernel and the guests' versions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    [RUNNING]
        .into_iter()
        .chain(kernel_images::ALL.iter().map(|image| image.version))
}

/// What the tests said in the last run on a kernel.
pub(crate) fn log_of(kernel: &str) -> Result<String> {
    let log = Logs::of(kernel)?.tests;
    fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))
}

/// The tests to run, and how.
pub(crate) struct Plan<'a> {
    pub(crate) binary: &'a TestBinary,
    pub(crate) filter: Option<&'a str>,
    /// Whether a test fails where it would skip.
    pub(crate) strict: bool,
}

/// The result of the tests on one kernel.
pub(crate) struct KernelRun {
    pub(crate) tally: Tally,
    pub(crate) problem: Option<String>,
    /// Every test ran to its end.
    pub(crate) is_complete: bool,
}

/// Builds the tests and runs them on every kernel that was asked for.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.kernel.as_deref() != Some(RUNNING) {
        setup::for_guests()?;
    }
    build_ebpf::build(false)?;
    let binary = test_binaries::kernel_tests()?;
    let strict = std::env::var(REQUIRE_ALL).is_ok_and(|value| value == "1");
    let plan = Plan {
        binary: &binary,
        filter: args.filter.as_deref(),
        strict,
    };
    let wanted = |name: &&str| args.kernel.as_deref().is_none_or(|only| only == *name);
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for kernel in names().filter(wanted) {
        let run = on(kernel, &plan)?;
        summary.push(format!("{kernel:<8} {}", run.tally));
        if run.problem.is_some() {
            failed.push(kernel);
        }
    }
    println!("\n{}", summary.join("\n"));
    if !failed.is_empty() {
        bail!("the kernel tests failed on {}", failed.join(" and on "));
    }
    Ok(())
}

/// Runs the tests on one kernel. One kernel after the other: they measure time.
pub(crate) fn on(kernel: &str, plan: &Plan) -> Result<KernelRun> {
    let logs = Logs::of(kernel)?;
    let run = if kernel == RUNNING {
        on_running_kernel(plan, &logs)?
    } else {
        in_guest(KernelImage::of(kernel)?, plan, &logs)?
    };
    for note in logs.notes() {
        println!("{kernel:<8} {note}");
    }
    if let Some(problem) = &run.problem {
        println!("{kernel:<8} {problem}");
        logs.show_end(!run.tally.failed.is_empty());
    }
    Ok(run)
}

/// The environment of a test process.
pub(crate) fn strictness(strict: bool) -> Option<(&'static str, &'static str)> {
    strict.then_some((REQUIRE_ALL, "1"))
}

fn on_running_kernel(plan: &Plan, logs: &Logs) -> Result<KernelRun> {
    let mut command = plan.binary.command();
    command
        .args(arguments(plan.filter))
        .envs(strictness(plan.strict));
    command.stderr(File::create(&logs.messages).context("creating the log of messages")?);
    follow(RUNNING, &mut command, logs, |_| None)
}

fn in_guest(image: &KernelImage, plan: &Plan, logs: &Logs) -> Result<KernelRun> {
    let initramfs = initramfs::build(image, &plan.binary.executable, &logs.folder)
        .with_context(|| format!("building the file system of guest {}", image.version))?;
    let environment = strictness(plan.strict).map(|(name, value)| format!("{name}={value}"));
    let line = guest::kernel_command_line(environment.as_deref(), arguments(plan.filter));
    let once = || {
        let mut command = guest::command(image, &initramfs, &logs.messages, &line)?;
        follow(image.version, &mut command, logs, |watched| {
            guest::problem(watched, &logs.messages)
        })
    };
    let run = once()?;
    if run.problem.is_none() || !guest::was_emulated_wrong(&logs.messages) {
        return Ok(run);
    }
    println!(
        "{:<8} the emulator ran a half-patched instruction (Oops: int3), which no processor does: \
         this guest begins again, once",
        image.version
    );
    once()
}

/// Runs the tests to their end; a run that breaks off is a result too, with what it said so far.
fn follow(
    kernel: &str,
    command: &mut Command,
    logs: &Logs,
    problem: impl FnOnce(&Watched) -> Option<String>,
) -> Result<KernelRun> {
    let mut log = File::create(&logs.tests).context("creating the log of tests")?;
    let on_line = |line: &str| writeln!(log, "{line}").context("writing the log of tests");
    let on_test = |test: &Test, time| println!("{}", result_line(kernel, test, time));
    let watched = watch::tests(command, LIMIT, on_line, on_test)?;
    let problem = watched.exit_problem().or_else(|| problem(&watched));
    let problem = problem.or_else(|| watched.problem());
    let is_complete = watched.problem().is_none();
    Ok(KernelRun {
        tally: watched.tally,
        problem,
        is_complete,
    })
}

fn result_line(kernel: &str, test: &Test, time: Duration) -> String {
    let (outcome, reason) = match &test.outcome {
        Outcome::Passed => ("ok", ""),
        Outcome::Failed => ("FAILED", ""),
        Outcome::Skipped(reason) => ("skipped", reason.as_str()),
    };
    let seconds = time.as_secs_f64();
    let line = format!(
        "{kernel:<8} {:<44} {outcome:<8} {seconds:>5.1} s  {reason}",
        test.name
    );
    line.trim_end().to_owned()
}

/// One test at a time: they read counters of the whole machine.
fn arguments(filter: Option<&str>) -> impl Iterator<Item = &str> {
    ["--test-threads=1", "--color=never"]
        .into_iter()
        .chain(filter)
}
