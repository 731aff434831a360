//! `cargo xtask fuzz`: feeds the parsers of foreign bytes with what nobody thought of. The targets
//! are in `agent/fuzz`; they begin with the recorded answers and keep what they found in `target/fuzz`.

mod run;
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::{paths, process};
use run::Outcome;

/// What libFuzzer needs to see of a program: which edges it takes and what it compares. These are the
/// flags of cargo-fuzz without those that need a nightly compiler: the parsers are safe code, in which the
/// address sanitizer finds nothing.
const RUSTFLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "--cfg=fuzzing",
];
/// Named, so that build scripts and macros are compiled without those flags.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What to feed and for how long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One target; all if not given
    target: Option<String>,
    /// How long in all, each target getting the same part of it
    #[arg(long = "for", default_value = "60s", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Repeat what one file did to the target
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
}

/// Builds the targets, runs each in turn and fails if one found something.
pub(crate) fn run(args: &Args) -> Result<()> {
    let targets = chosen(args.target.as_deref())?;
    build(&targets)?;
    if let Some(input) = &args.input {
        return repeat(&targets, input);
    }
    let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
    let each = (args.duration / count.max(1)).max(Duration::from_secs(1));
    let mut outcomes = Vec::new();
    for target in &targets {
        seeds::write(target, &corpus(target)?)?;
        let outcome = run::fuzz(target, &executable(target)?, &folder()?, each);
        outcomes.push((
            target,
            outcome.with_context(|| format!("fuzzing {target}"))?,
        ));
    }
    println!();
    for (target, outcome) in &outcomes {
        println!("fuzz  {target:<18} {outcome}");
    }
    let found: Vec<_> = outcomes
        .iter()
        .filter_map(|(target, outcome)| said(target, outcome))
        .collect();
    if !found.is_empty() {
        bail!("fuzzing found something:\n{}", found.join("\n"));
    }
    Ok(())
}

fn said(target: &str, outcome: &Outcome) -> Option<String> {
    let found = outcome.found.as_ref()?;
    let again = found.input.as_ref().map_or_else(String::new, |input| {
        let shown = input.display();
        format!("\n    input: {shown}\n    again: cargo xtask fuzz {target} --input {shown}")
    });
    Some(format!("{target}: {}{again}", found.what))
}

/// A target is a file in the folder of targets.
fn chosen(name: Option<&str>) -> Result<Vec<String>> {
    let folder = crate_folder()?.join("targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    let Some(name) = name else {
        return Ok(names);
    };
    if !names.iter().any(|known| known == name) {
        bail!("there is no fuzz target {name}, only {}", names.join(", "));
    }
    Ok(vec![name.to_owned()])
}

fn build(targets: &[String]) -> Result<()> {
    let mut command = process::clean_cargo();
    command
        .args(["build", "--release", "--target", TRIPLE, "--target-dir"])
        .arg(folder()?.join("build"))
        .env("RUSTFLAGS", RUSTFLAGS.join(" "))
        .current_dir(crate_folder()?);
    for target in targets {
        command.args(["--bin", target]);
    }
    process::run(&mut command).context("building the fuzz targets, which needs a C++ compiler too")
}

fn repeat(targets: &[String], input: &Path) -> Result<()> {
    let target = targets.first().context("no target")?;
    let mut command = std::process::Command::new(executable(target)?);
    process::run(command.arg(input).env("RUST_BACKTRACE", "1"))
}

fn crate_folder() -> Result<PathBuf> {
    Ok(paths::root()?.join("agent/fuzz"))
}

/// Everything that fuzzing writes.
fn folder() -> Result<PathBuf> {
    Ok(paths::target()?.join("fuzz"))
}

fn corpus(target: &str) -> Result<PathBuf> {
    Ok(folder()?.join("corpus").join(target))
}

fn executable(target: &str) -> Result<PathBuf> {
    let built = folder()?.join("build").join(TRIPLE).join("release");
    Ok(built.join(target))
}
