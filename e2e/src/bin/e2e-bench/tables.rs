//! `e2e-bench tables`: a cluster's day in the tables: its size, what it costs to merge it, and how long a typical
//! question takes.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::process::usage_of;
use serde::Serialize;

use crate::numbers::rounded;

/// The day that the questions of `docs/sql` ask for.
const START: &str = "2026-11-20T00:00:00Z";
/// Merges every day, even that of tomorrow's clocks.
const SETTLE: &str = "0s";
const QUESTION: &str = "questions/day_of_a_namespace.sql";

/// What to print.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    /// Pods of the cluster
    #[arg(long, default_value_t = 5_000)]
    pods: usize,
    /// Hours of the day
    #[arg(long, default_value_t = 24)]
    hours: usize,
    /// Fail where a number is beyond its bound by more than this factor, for example 1.25
    #[arg(long, value_name = "FACTOR")]
    check: Option<f64>,
    /// The aggregator
    #[arg(long, value_name = "FILE", env = "PODLEDGER_AGGREGATOR")]
    aggregator: PathBuf,
    /// Python with DuckDB
    #[arg(long, value_name = "FILE", env = "PODLEDGER_READERS")]
    python: PathBuf,
}

/// The figures.
#[derive(Serialize)]
struct Figures {
    rows: u64,
    bytes_per_row_before: f64,
    bytes_per_row: f64,
    /// Of all tables.
    merged_rows_per_core_second: f64,
    /// Of all tables, the table of hours and the logs included.
    care_rss_mib: f64,
    generate_seconds: f64,
    question_seconds: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} rows of pod_usage, made in {} s",
            self.rows, self.generate_seconds
        )?;
        writeln!(
            out,
            "{} bytes a row as committed, {} merged (at most 50)",
            self.bytes_per_row_before, self.bytes_per_row
        )?;
        writeln!(
            out,
            "merged at {} rows a second and core (at least 500000), in {} MiB (at most 1024)",
            self.merged_rows_per_core_second, self.care_rss_mib
        )?;
        write!(
            out,
            "one namespace, one day, by workload: {} s (at most 1)",
            self.question_seconds
        )
    }
}

impl Figures {
    fn check(&self, factor: f64) -> Result<()> {
        ensure!(self.bytes_per_row <= 50.0 * factor, "too large: {self}");
        ensure!(
            self.merged_rows_per_core_second * factor >= 500_000.0,
            "too slow: {self}"
        );
        ensure!(
            self.care_rss_mib <= 1_024.0 * factor,
            "too much memory: {self}"
        );
        ensure!(self.question_seconds <= factor, "too slow: {self}");
        Ok(())
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let directory = std::env::temp_dir().join(format!("podledger-tables-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let figures = measure(args, &directory);
    std::fs::remove_dir_all(&directory)?;
    let figures = figures?;
    crate::print(&match args.json {
        true => serde_json::to_string(&figures)?,
        false => figures.to_string(),
    })?;
    args.check.map_or(Ok(()), |factor| figures.check(factor))
}

fn measure(args: &Args, directory: &Path) -> Result<Figures> {
    let url = format!("file://{}", directory.display());
    let (pods, hours) = (args.pods.to_string(), args.hours.to_string());
    let generate = [
        "generate", "--pods", &pods, "--hours", &hours, "--start", START, "--out", &url,
    ];
    let begun = std::time::Instant::now();
    ensure!(
        Command::new(&args.aggregator)
            .args(generate)
            .status()?
            .success(),
        "generate failed"
    );
    let generate_seconds = rounded(begun.elapsed().as_secs_f64());
    let before = live(directory, "pod_usage")?;
    let merged = Command::new(&args.aggregator)
        .args(["compact", "--settle", SETTLE, &url])
        .stdout(Stdio::piped())
        .spawn()?;
    let (status, usage, said) = usage_of(merged)?;
    ensure!(status == 0, "compact failed");
    let rows = rows_merged(&said)?;
    let after = live(directory, "pod_usage")?;
    ensure!(before.0 == after.0, "{before:?} became {after:?}");
    Ok(Figures {
        rows: after.0,
        bytes_per_row_before: rounded(before.1 as f64 / before.0 as f64),
        bytes_per_row: rounded(after.1 as f64 / after.0 as f64),
        merged_rows_per_core_second: (rows as f64 / cpu(&usage).as_secs_f64()).round(),
        care_rss_mib: rounded(usage.ru_maxrss as f64 / 1_024.0),
        generate_seconds,
        question_seconds: question(args, directory)?,
    })
}

/// Rows and bytes of a table, as its log tells.
fn live(directory: &Path, table: &str) -> Result<(u64, u64)> {
    let log = directory.join(table).join("_delta_log");
    let mut entries: Vec<PathBuf> = std::fs::read_dir(&log)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    entries.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    entries.sort();
    let mut files = std::collections::BTreeMap::new();
    for entry in entries {
        for line in std::fs::read_to_string(entry)?.lines() {
            let line: serde_json::Value = serde_json::from_str(line)?;
            if let Some(path) = line["remove"]["path"].as_str() {
                files.remove(path);
            }
            if let Some(path) = line["add"]["path"].as_str() {
                let stats = line["add"]["stats"].as_str().context("no statistics")?;
                let stats: serde_json::Value = serde_json::from_str(stats)?;
                let rows = stats["numRecords"].as_u64().context("no rows")?;
                let bytes = line["add"]["size"].as_u64().context("no size")?;
                files.insert(path.to_owned(), (rows, bytes));
            }
        }
    }
    Ok(files
        .values()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
}

/// Of "merged F files of R rows, ...".
fn rows_merged(said: &str) -> Result<u64> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let rows = words.windows(2).find(|pair| pair[1].starts_with("rows,"));
    let rows = rows.with_context(|| format!("how many rows? {said}"))?;
    Ok(rows[0].parse()?)
}

fn cpu(usage: &libc::rusage) -> Duration {
    [usage.ru_utime, usage.ru_stime]
        .iter()
        .map(|time| Duration::new(time.tv_sec.cast_unsigned(), time.tv_usec as u32 * 1_000))
        .sum()
}

/// The best of some rounds, each with an engine that has read nothing.
fn question(args: &Args, directory: &Path) -> Result<f64> {
    let e2e = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(&args.python)
        .arg(e2e.join("readers/time_question.py"))
        .arg(directory)
        .arg(e2e.join("../docs/sql"))
        .arg(QUESTION)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let seconds = String::from_utf8(output.stdout)?;
    let best = seconds.split_whitespace().next().context("no time")?;
    Ok(rounded(best.parse()?))
}
