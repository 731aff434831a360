//! `cargo xtask kernels`: the kernel tests of `e2e` on each supported kernel, line by line.

mod guest;
mod initramfs;
mod modules;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::libtest::{Outcome, Tally, Test};
use crate::setup::kernel_images::{self, KernelImage};
use crate::test_binaries::{self, TestBinary};
use crate::watch::{self, Watched};
use crate::{build_ebpf, paths, setup};

/// Set to 1, it makes the tests fail where they would skip. Reaches the guests too.
pub(crate) const REQUIRE_ALL: &str = "PODLEDGER_REQUIRE_ALL";

/// The name of the kernel we run on, beside the versions of the guests.
pub(crate) const RUNNING: &str = "running";

const LIMIT: Duration = Duration::from_secs(12 * 60);
const LINES_SHOWN: usize = 30;
/// Two guests of two processors each get in each other's way on fewer.
const PROCESSORS_FOR_TWO_GUESTS: usize = 4;

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

/// The result of the tests on one kernel.
pub(crate) struct KernelRun {
    kernel: &'static str,
    tally: Tally,
    problem: Option<String>,
}

/// Builds the tests and runs them everywhere that was asked for.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::for_guests()?;
    build_ebpf::build(false)?;
    let test = test_binaries::kernel_tests()?;
    let wanted = |name: &str| args.kernel.as_deref().is_none_or(|only| only == name);
    let mut runs = Vec::new();
    if wanted(RUNNING) {
        runs.push(on_running_kernel(&test, args.filter.as_deref())?);
    }
    let images: Vec<_> = kernel_images::ALL
        .iter()
        .filter(|image| wanted(image.version))
        .collect();
    runs.extend(in_guests(&images, &test, args.filter.as_deref())?);
    let failed: Vec<_> = runs
        .iter()
        .filter(|run| !run.is_good())
        .map(|run| run.kernel)
        .collect();
    for run in &runs {
        println!("{:<8} {}", run.kernel, run.tally);
    }
    if !failed.is_empty() {
        bail!("the kernel tests failed on {}", failed.join(" and on "));
    }
    Ok(())
}

impl KernelRun {
    pub(crate) fn is_good(&self) -> bool {
        self.problem.is_none() && self.tally.failed.is_empty()
    }

    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    fn broken(kernel: &'static str, problem: String) -> Self {
        Self {
            kernel,
            tally: Tally::default(),
            problem: Some(problem),
        }
    }

    /// Shows what there is to see of a run that went wrong.
    fn explain(&self, logs: &Logs) {
        let Some(problem) = &self.problem else { return };
        println!("{:<8} {problem}", self.kernel);
        if self.tally.failed.is_empty() {
            show_end(&logs.messages, |_| false);
        }
        show_end(&logs.tests, |line| line == "failures:");
    }
}

/// Prints a log from the first line that `begins`, else its last lines.
fn show_end(log: &Path, begins: impl Fn(&str) -> bool) {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(LINES_SHOWN);
    let from = lines.iter().position(|line| begins(line)).unwrap_or(last);
    println!("  {}:\n  {}", log.display(), lines[from..].join("\n  "));
}

/// Runs the tests right here.
pub(crate) fn on_running_kernel(test: &TestBinary, filter: Option<&str>) -> Result<KernelRun> {
    let logs = Logs::of(RUNNING)?;
    let mut command = test.command();
    command.args(arguments(filter));
    command.stderr(File::create(&logs.messages).context("creating the log of messages")?);
    let run = follow(RUNNING, &mut command, &logs, |watched| {
        (!watched.status.success()).then(|| format!("the tests ended with {}", watched.status))
    });
    run.explain(&logs);
    Ok(run)
}

/// Boots each kernel, at the same time where there are processors for it.
pub(crate) fn in_guests(
    images: &[&'static KernelImage],
    test: &TestBinary,
    filter: Option<&str>,
) -> Result<Vec<KernelRun>> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    if processors < PROCESSORS_FOR_TWO_GUESTS {
        return images
            .iter()
            .map(|image| in_guest(image, test, filter))
            .collect();
    }
    thread::scope(|scope| {
        let start = |image: &&'static KernelImage| {
            let image = *image;
            scope.spawn(move || in_guest(image, test, filter))
        };
        let started: Vec<_> = images.iter().map(start).collect();
        let ended = started.into_iter().map(|thread| thread.join());
        ended
            .map(|run| run.map_err(|_| anyhow!("a thread that watched a guest panicked"))?)
            .collect()
    })
}

fn in_guest(image: &KernelImage, test: &TestBinary, filter: Option<&str>) -> Result<KernelRun> {
    let logs = Logs::of(image.version)?;
    let initramfs = initramfs::build(image, &test.executable, &folder()?)
        .with_context(|| format!("building the file system of guest {}", image.version))?;
    let mut command = guest::command(image, &initramfs, &logs.messages, &arguments(filter))?;
    let run = follow(image.version, &mut command, &logs, |watched| {
        guest_problem(watched, &logs)
    });
    run.explain(&logs);
    Ok(run)
}

fn follow(
    kernel: &'static str,
    command: &mut Command,
    logs: &Logs,
    problem: impl FnOnce(&Watched) -> Option<String>,
) -> KernelRun {
    let log = File::create(&logs.tests);
    let on_line = |line: &str| {
        Ok(writeln!(
            log.as_ref().map_err(|error| anyhow!("{error}"))?,
            "{line}"
        )?)
    };
    let watched = watch::tests(command, LIMIT, on_line, |test, time| {
        print(kernel, test, time)
    });
    match watched {
        Ok(watched) => {
            let problem = problem(&watched).or_else(|| watched.problem());
            KernelRun {
                kernel,
                tally: watched.tally,
                problem,
            }
        }
        Err(error) => KernelRun::broken(kernel, format!("{error:#}")),
    }
}

fn guest_problem(watched: &Watched, logs: &Logs) -> Option<String> {
    let code = watched
        .lines
        .iter()
        .find_map(|line| line.strip_prefix(guest::MARKER));
    if let Some(code) = code {
        return (code != "0").then(|| format!("the tests ended with exit code {code}"));
    }
    let messages = fs::read_to_string(&logs.messages).unwrap_or_default();
    match messages.lines().find(|line| line.contains("Kernel panic")) {
        Some(panic) => Some(panic.trim().to_owned()),
        None => Some("the guest ended before its tests did".to_owned()),
    }
}

fn print(kernel: &str, test: &Test, time: Duration) {
    let outcome = match &test.outcome {
        Outcome::Passed => "ok",
        Outcome::Failed => "FAILED",
        Outcome::Skipped(_) => "skipped",
    };
    let reason = match &test.outcome {
        Outcome::Skipped(reason) => reason.as_str(),
        Outcome::Passed | Outcome::Failed => "",
    };
    let line = format!(
        "{kernel:<8} {:<44} {outcome:<8} {:>5.1} s  {reason}",
        test.name,
        time.as_secs_f64()
    );
    println!("{}", line.trim_end());
}

/// One test at a time: they read counters of the whole machine.
fn arguments(filter: Option<&str>) -> Vec<String> {
    let fixed = ["--test-threads=1", "--color=never"];
    fixed.into_iter().chain(filter).map(str::to_owned).collect()
}

/// What the tests said, and what the kernel and standard error said.
struct Logs {
    tests: PathBuf,
    messages: PathBuf,
}

impl Logs {
    fn of(kernel: &str) -> Result<Self> {
        let folder = folder()?;
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let tests = folder.join(format!("{kernel}.log"));
        Ok(Self {
            tests,
            messages: folder.join(format!("{kernel}.messages.log")),
        })
    }
}

fn folder() -> Result<PathBuf> {
    Ok(paths::target()?.join("kernels"))
}
