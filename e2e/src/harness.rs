//! Runs tests that need a real kernel. A test says what it needs; where that is missing it is
//! skipped with the reason, and with `PODLEDGER_REQUIRE_ALL=1` a skip is a failure. What only some
//! kernels or hierarchies can show at all is told as not applicable and left out.

use std::{env, fs, io::Write as _, path::Path};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What a test needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Root, BPF, BTF and a cgroup v2 hierarchy: every test of this kind.
    Kernel,
    /// The memory controller in the v2 hierarchy; other hierarchies can't show it.
    MemoryController,
    /// The cpu controller in the v2 hierarchy; other hierarchies can't show it.
    CpuController,
    /// A program on the path.
    Program(&'static str),
}

/// One test.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// `area_what`, the area being the stem of the kernel program.
    pub name: &'static str,
    /// What it needs besides [`Need::Kernel`].
    pub needs: &'static [Need],
    /// The test.
    pub run: fn() -> Result<()>,
}

enum Missing {
    Skip(String),
    NotApplicable(String),
}

/// Runs `tests` as libtest would; the process's exit code.
pub fn run(tests: Vec<Test>) -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let require_all = env::var("PODLEDGER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    let trials = tests
        .into_iter()
        .filter_map(|test| trial(test, require_all))
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(test: Test, require_all: bool) -> Option<Trial> {
    let missing = std::iter::once(&Need::Kernel)
        .chain(test.needs)
        .find_map(|need| missing(*need));
    let run = move || (test.run)().map_err(|error| Failed::from(format!("{error:?}")));
    match missing {
        None => Some(Trial::test(test.name, run)),
        Some(Missing::NotApplicable(reason)) => {
            say(&format!("not applicable here: {}: {reason}", test.name));
            None
        }
        Some(Missing::Skip(reason)) if require_all => {
            let failed = move || Err(Failed::from(format!("can't run here: {reason}")));
            Some(Trial::test(test.name, failed))
        }
        Some(Missing::Skip(reason)) => {
            let skipped = move || Ok(Completion::ignored_with(reason));
            Some(Trial::ignorable_test(test.name, skipped))
        }
    }
}

fn missing(need: Need) -> Option<Missing> {
    match need {
        Need::Kernel => {
            let root = agent::cgroups::find_root();
            let needs = agent::kernel::needs::check(root.as_deref());
            needs
                .into_iter()
                .find_map(|need| need.found.err())
                .map(Missing::Skip)
        }
        Need::MemoryController => no_controller("memory"),
        Need::CpuController => no_controller("cpu"),
        Need::Program(name) => {
            let path = env::var_os("PATH").unwrap_or_default();
            let found = env::split_paths(&path).any(|directory| directory.join(name).exists());
            (!found).then(|| {
                Missing::Skip(format!(
                    "the program `{name}` is missing: `cargo xtask setup`"
                ))
            })
        }
    }
}

fn no_controller(name: &str) -> Option<Missing> {
    let root = agent::cgroups::find_root()?;
    let controllers = fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
    let missing = !controllers
        .split_whitespace()
        .any(|controller| controller == name);
    missing.then(|| {
        Missing::NotApplicable(format!("{} has no {name} controller", Path::display(&root)))
    })
}

/// Tells a deviation from the truth; `cargo xtask accuracy` publishes it.
pub fn measured(what: &str, bound: &str, deviation: &str) {
    let line = format!("measured | {what} | {bound} | {deviation}\n");
    // Nobody to tell when standard output is closed.
    drop(std::io::stdout().lock().write_all(line.as_bytes()));
}

/// A line for the person who reads the test's output.
pub fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    drop(writeln!(std::io::stderr(), "{line}"));
}
