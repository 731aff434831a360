//! The steps of `cargo xtask test`, each a function that fails or says what it counted.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::summary::Done;
use crate::kernels::{self, Plan};
use crate::libtest::{Outcome, Tally, Test};
use crate::test_binaries::{self, TestBinary};
use crate::{build_ebpf, chaos, paths, process, setup, tidy, watch};

/// One line of the table.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Left out by `--fast`.
    pub(super) is_slow: bool,
    /// Told whether skipped tests count as failed.
    pub(super) run: fn(bool) -> Result<Done>,
}

/// Cheap checks first; what needs the kernel object after it is built.
pub(super) const ALL: &[Step] = &[
    quick("setup", |_| checked(setup::for_checks())),
    quick("format", |_| format()),
    quick("clippy", |_| clippy()),
    quick("clippy ebpf", |_| clippy_ebpf()),
    quick("tidy", |_| checked(tidy::run())),
    quick("deny", |_| deny()),
    quick("build-ebpf", |_| {
        checked(build_ebpf::build(false).map(drop))
    }),
    quick("tests", tests),
    quick("doc tests", doc_tests),
    quick("kernel running", |strict| kernel(kernels::RUNNING, strict)),
    slow("kernel 6.1", |strict| kernel("6.1", strict)),
    slow("kernel 6.12", |strict| kernel("6.12", strict)),
    quick("chaos", |_| chaos()),
    slow("chaos real", |_| chaos_real()),
    slow("bench kernel", |_| bench(&["kernel"])),
    slow("bench agent", |_| bench(&["agent", "--windows", "2"])),
    slow("churn of pods", |_| bench(&["agent", "--churn", "20s"])),
];

/// Tests of one kernel that may run once more, alone, and are told: they compare with this machine's
/// time, and a neighbour that takes it away is no fault of theirs. More are no accident.
const MOST_UNSTEADY: usize = 2;

/// A test binary that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Worlds that are simulated in each run; their seeds are always the same ones.
const SEEDS: u64 = 1_000;
/// How long real processes are killed in each run.
const REAL_CHAOS: &str = "40s";

const fn quick(name: &'static str, run: fn(bool) -> Result<Done>) -> Step {
    Step {
        name,
        is_slow: false,
        run,
    }
}

const fn slow(name: &'static str, run: fn(bool) -> Result<Done>) -> Step {
    Step {
        name,
        is_slow: true,
        run,
    }
}

fn checked(result: Result<()>) -> Result<Done> {
    result.map(|()| Done::default())
}

fn in_root(command: &mut Command) -> Result<Done> {
    checked(process::run(command.current_dir(paths::root()?)))
}

fn format() -> Result<Done> {
    in_root(process::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<Done> {
    let mut command = process::cargo();
    command.args([
        "clippy",
        "--workspace",
        "--exclude",
        "agent-ebpf",
        "--all-targets",
    ]);
    in_root(command.args(["--", "-D", "warnings"]))
}

fn clippy_ebpf() -> Result<Done> {
    in_root(build_ebpf::cargo("clippy")?.args(["--", "-D", "warnings"]))
}

/// Advisories change without a commit of ours, and need the network: they are not for this run.
fn deny() -> Result<Done> {
    let mut command = Command::new(setup::deny::program()?);
    in_root(command.args(["--all-features", "check", "bans", "licenses", "sources"]))
}

fn tests(strict: bool) -> Result<Done> {
    let mut done = Done::default();
    setup::for_tests()?;
    let readers = setup::python::READERS.program()?;
    let schemathesis = setup::python::SCHEMATHESIS.program()?;
    let aggregator = test_binaries::debug("podledger-aggregator")?;
    for binary in test_binaries::all()?
        .iter()
        .filter(|binary| !binary.is_kernel_tests())
    {
        let mut command = binary.command();
        command.envs(kernels::strictness(strict));
        // Tests of the tables ask others what is in them.
        command.env("PODLEDGER_READERS", &readers);
        // And some start an aggregator and ask it.
        command.env("PODLEDGER_SCHEMATHESIS", &schemathesis);
        command.env("PODLEDGER_AGGREGATOR_BINARY", &aggregator);
        done.add(follow(&label(binary), &mut command));
    }
    Ok(done)
}

fn doc_tests(_: bool) -> Result<Done> {
    let mut command = process::cargo();
    command.args([
        "test",
        "--workspace",
        "--exclude",
        "agent-ebpf",
        "--doc",
        "--no-fail-fast",
    ]);
    let mut done = Done::default();
    done.add(follow("doc tests", command.current_dir(paths::root()?)));
    Ok(done)
}

fn label(binary: &TestBinary) -> String {
    if binary.package == binary.target {
        return binary.package.clone();
    }
    format!("{} {}", binary.package, binary.target)
}

/// Runs one test binary; says its counts, and all that it said if it went wrong.
fn follow(label: &str, command: &mut Command) -> (Tally, Option<String>) {
    let on_test = |test: &Test, _| {
        if test.outcome == Outcome::Failed {
            println!("  FAILED {}", test.name);
        }
    };
    let watched = match watch::tests(command, LIMIT, |_| Ok(()), on_test) {
        Ok(watched) => watched,
        Err(error) => return (Tally::default(), Some(format!("{label}: {error:#}"))),
    };
    let problem = watched.exit_problem().or_else(|| watched.problem());
    println!("{label:<28} {}", watched.tally);
    if problem.is_some() {
        println!("{}", watched.lines.join("\n"));
    }
    (
        watched.tally,
        problem.map(|problem| format!("{label}: {problem}")),
    )
}

/// Measured on a machine that does other work: beyond its bound by half is a change, less is noise.
const BENCH_FACTOR: &str = "1.5";

fn bench(arguments: &[&str]) -> Result<Done> {
    test_binaries::release("podledger-agent")?;
    let mut command = Command::new(test_binaries::release("e2e-bench")?);
    in_root(command.args(arguments).args(["--check", BENCH_FACTOR]))
}

fn chaos() -> Result<Done> {
    checked(chaos::simulate(SEEDS))
}

fn chaos_real() -> Result<Done> {
    checked(chaos::kill(REAL_CHAOS))
}

fn kernel(name: &str, strict: bool) -> Result<Done> {
    if name != kernels::RUNNING {
        setup::for_guests()?;
    }
    let binary = test_binaries::kernel_tests()?;
    let on = |filter: Option<&str>| {
        let plan = Plan {
            binary: &binary,
            filter,
            strict,
        };
        kernels::on(name, &plan)
    };
    let mut run = on(None)?;
    let again = run.tally.failed.clone();
    if again.len() <= MOST_UNSTEADY && run.is_complete {
        for test in again {
            println!("{name:<8} {test} failed beside others: once more, alone");
            let alone = on(Some(&test))?;
            if alone.problem.is_none() && alone.tally.passed > 0 {
                run.tally.passed_alone(&test);
            }
        }
        if run.tally.failed.is_empty() {
            run.problem = None;
        }
    }
    let mut done = Done::default();
    done.add((run.tally, run.problem));
    Ok(done)
}
