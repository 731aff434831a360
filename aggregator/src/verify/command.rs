//! `verify` as a command.

use std::io::{self, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use protocol::Timestamp;
use serde::Serialize;

use super::error::VerifyError;
use super::judge::Rules;
use super::read::{Progress, Reading};
use super::report::Report;
use super::tables::Tables;
use crate::error_chain;
use crate::store_url::StoreUrl;

/// The tables are right.
const PROVED: u8 = 0;
/// They are not: the report names the rows.
const REFUTED: u8 = 1;
/// They could not be read, so that nothing is known.
pub const UNREADABLE: u8 = 2;

/// Between two lines that say how far it is.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Options of `verify`.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "these sentences are help on a terminal, not Markdown"
)]
pub struct Arguments {
    /// Where the tables are: s3://bucket/prefix or file:///directory
    ///
    /// AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are heeded, as are
    /// web identities and instance profiles. Ends with 0 if the tables are right, with 1 if they are
    /// not, and with 2 if they could not be read.
    #[arg(value_name = "URL", env = "PODLEDGER_AGGREGATOR_STORE")]
    pub store: String,
    /// How long a commit may take: younger rows that the ledger does not have are no error
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    pub settle: humantime::Duration,
    /// Memory for counts in MiB; with less than all batches need, everything is read several times
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub memory: u64,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Reads, judges and prints. The exit code.
pub async fn run(
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (String, String)>,
) -> u8 {
    let report = match report(arguments, environment).await {
        Ok(report) => report,
        Err(error) => {
            say(&format!("error: {}", error_chain(&error)));
            return UNREADABLE;
        }
    };
    match (print(&report, arguments.json), report.is_proved()) {
        (Ok(()), true) => PROVED,
        (Ok(()), false) => REFUTED,
        (Err(error), _) => {
            say(&format!("error: printing the report: {error}"));
            UNREADABLE
        }
    }
}

async fn report(
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Report, VerifyError> {
    let (store, prefix) = StoreUrl::parse(&arguments.store)?.open(environment)?;
    let told = Mutex::new(Instant::now());
    let tables = Tables::new(store, prefix);
    let reading = Reading {
        store: tables.store(),
        snapshots: &tables,
        rules: Rules {
            now: Timestamp::from_system(SystemTime::now()),
            settle: *arguments.settle,
        },
        memory: arguments.memory.saturating_mul(1 << 20),
        progress: &|progress| tell(&told, progress),
    };
    reading.judge().await
}

/// Now and then a line for whoever waits.
fn tell(told: &Mutex<Instant>, progress: Progress) {
    let Ok(mut told) = told.lock() else {
        return;
    };
    if told.elapsed() < BETWEEN_LINES {
        return;
    }
    *told = Instant::now();
    let Progress {
        table,
        files,
        of_files,
        rounds,
        of_rounds,
    } = progress;
    say(&format!(
        "{}: {files} of {of_files} files, round {} of {of_rounds}",
        table.name(),
        rounds + 1
    ));
}

/// The report as JSON, with the verdict in one word.
#[derive(Serialize)]
struct Told<'a> {
    proved: bool,
    #[serde(flatten)]
    report: &'a Report,
}

fn print(report: &Report, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        let proved = report.is_proved();
        serde_json::to_writer_pretty(&mut out, &Told { proved, report })?;
        return writeln!(out);
    }
    writeln!(out, "{report}")
}

fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    drop(writeln!(io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    async fn code(options: &[&str]) -> u8 {
        let words = ["verify"].iter().chain(options);
        run(&Command::parse_from(words).arguments, []).await
    }

    /// Nobody may take an empty or a wrong place for tables that are right.
    #[tokio::test]
    async fn tables_that_are_not_there_are_not_proved() {
        assert_eq!(code(&["memory:"]).await, UNREADABLE);
        assert_eq!(code(&["--json", "memory:"]).await, UNREADABLE);
        assert_eq!(code(&["no URL"]).await, UNREADABLE);
    }

    #[test]
    fn the_verdict_is_in_the_json() {
        let report = Report::default();
        let proved = report.is_proved();
        let told = serde_json::to_value(Told {
            proved,
            report: &report,
        })
        .unwrap();
        assert_eq!(
            (&told["proved"], &told["batches"]),
            (&true.into(), &0.into())
        );
    }
}
