//! One target at work: libFuzzer's lines, made short.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Recorded summaries of a node have about 30 KB.
const MOST_INPUT_BYTES: usize = 1 << 16;
/// An input that takes longer is a finding.
const MOST_SECONDS: u32 = 5;
/// And so is one that makes the program this big.
const MOST_MEMORY_MIB: u32 = 1024;
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// What a run told.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    executions: u64,
    speed: u64,
    /// How many inputs are worth keeping, those of earlier runs included.
    inputs: usize,
    pub(super) found: Option<Found>,
}

/// An input that the target could not stand.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) what: String,
    pub(super) input: Option<PathBuf>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (executions, speed, inputs) = (self.executions, self.speed, self.inputs);
        let found = u8::from(self.found.is_some());
        write!(
            out,
            "{executions:>9} executions  {speed:>7}/s  {inputs:>5} inputs kept  {found} crashes"
        )
    }
}

/// Runs a target for `time`, or until it finds something.
pub(super) fn fuzz(target: &str, program: &Path, folder: &Path, time: Duration) -> Result<Outcome> {
    let crashes = folder.join("crashes").join(target);
    fs::create_dir_all(&crashes).with_context(|| format!("making {}", crashes.display()))?;
    let corpus = folder.join("corpus").join(target);
    let log = folder.join(format!("{target}.log"));
    let mut log = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    let mut command = Command::new(program);
    command
        .arg(&corpus)
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .arg(format!("-max_len={MOST_INPUT_BYTES}"))
        .arg(format!("-timeout={MOST_SECONDS}"))
        .arg(format!("-rss_limit_mb={MOST_MEMORY_MIB}"))
        .arg("-print_final_stats=1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = command.spawn();
    let mut child = child.with_context(|| format!("cannot start {}", program.display()))?;
    let lines = child.stderr.take().context("the target has no output")?;
    let mut told = Told::default();
    let start = Instant::now();
    let mut shown = start;
    for line in BufReader::new(lines).split(b'\n') {
        let line = line.context("reading what the target says")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(log, "{line}").context("writing the log")?;
        told.take(&line);
        if line.starts_with('#') && shown.elapsed() >= PROGRESS_EVERY {
            shown = Instant::now();
            println!(
                "fuzz  {target:<18} {:>4} s  {}",
                start.elapsed().as_secs(),
                squeezed(&line)
            );
        }
    }
    let status = child.wait().context("waiting for the target")?;
    let mut outcome = told.outcome;
    outcome.inputs = fs::read_dir(&corpus).map_or(0, Iterator::count);
    if !status.success() {
        outcome.found = Some(Found {
            what: told
                .what
                .unwrap_or_else(|| format!("it ended with {status}")),
            input: told.input,
        });
    }
    println!("fuzz  {target:<18} {outcome}");
    Ok(outcome)
}

/// `#4096 pulse cov: 30 ft: 40`, whatever stood between the words.
fn squeezed(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ")
}

/// What was picked from the lines so far.
#[derive(Debug, Default)]
struct Told {
    outcome: Outcome,
    what: Option<String>,
    input: Option<PathBuf>,
}

impl Told {
    fn take(&mut self, line: &str) {
        let number = |text: &str| text.trim().parse().unwrap_or(0);
        if let Some(text) = line.strip_prefix("stat::number_of_executed_units:") {
            self.outcome.executions = number(text);
        } else if let Some(text) = line.strip_prefix("stat::average_exec_per_sec:") {
            self.outcome.speed = number(text);
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.input = Some(PathBuf::from(path.trim()));
        } else if let Some((_, what)) = line.split_once("ERROR: libFuzzer: ") {
            // A panic has told its reason before.
            self.what.get_or_insert_with(|| what.to_owned());
        } else if line.starts_with("thread ") && line.contains(" panicked at ") {
            self.what = Some(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_input() {
        let mut told = Told::default();
        for line in [
            "#2\tINITED cov: 30 ft: 30 corp: 1/1b exec/s: 0 rss: 40Mb",
            "thread '<unnamed>' (7) panicked at src/parse.rs:3:5:",
            "==7== ERROR: libFuzzer: deadly signal",
            "artifact_prefix='a/'; Test unit written to a/crash-0123",
            "stat::number_of_executed_units: 1234",
            "stat::average_exec_per_sec:     617",
        ] {
            told.take(line);
        }
        assert_eq!((told.outcome.executions, told.outcome.speed), (1234, 617));
        assert!(told.what.unwrap().contains("src/parse.rs:3:5"));
        assert_eq!(told.input.unwrap(), Path::new("a/crash-0123"));
    }
}
