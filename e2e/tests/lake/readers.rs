//! What delta-rs from Python and DuckDB find in the tables, beside what `verify` says.

use std::{ffi::OsString, process::Command};

use anyhow::{Context as _, Result, ensure};
use e2e::harness::say;
use protocol::Table;
use serde_json::Value;

use crate::place::Place;
use crate::world::{assert_proved, fill};

/// Names the interpreter; `cargo xtask test` sets it.
const INTERPRETER: &str = "PODLEDGER_READERS";

/// The interpreter that the readers are installed in. None if it is not there and need not be.
pub(crate) fn interpreter() -> Result<Option<OsString>> {
    let python = std::env::var_os(INTERPRETER);
    if python.is_none() {
        let is_needed = std::env::var("PODLEDGER_REQUIRE_ALL").is_ok_and(|value| value == "1");
        ensure!(!is_needed, "{INTERPRETER} is not set");
        say(&format!(
            "skipped: {INTERPRETER} is not set: use `cargo xtask test`"
        ));
    }
    Ok(python)
}

/// What each of the readers found. None if they are not there.
fn ask(place: &Place) -> Result<Option<Vec<Value>>> {
    let Some(python) = interpreter()? else {
        return Ok(None);
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/readers/read_tables.py");
    let mut command = Command::new(python);
    command.arg(script).arg(place.url()?.as_str());
    let output = command.envs(place.environment()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn others_find_what_verify_says() -> Result<()> {
    for place in Place::both()? {
        fill(&place).await?;
        let report = assert_proved(&place).await?;
        let Some(readers) = ask(&place)? else {
            return Ok(());
        };
        ensure!(readers.len() == 2);
        for found in &readers {
            let number = |name: &str| {
                let value = found[name].as_f64();
                value.with_context(|| format!("{name} in {found}"))
            };
            for name in ["ledger_twice", "ledger_holes"] {
                ensure!(number(name)? == 0.0, "{name} in {found}");
            }
            for table in Table::ALL.map(Table::name) {
                let rows = report.rows[table] as f64;
                ensure!(
                    number(&format!("{table}.rows"))? == rows,
                    "{table} in {found}"
                );
                if table != Table::Reconcile.name() {
                    for name in ["wrong", "without_ledger"] {
                        ensure!(
                            number(&format!("{table}.{name}"))? == 0.0,
                            "{table} in {found}"
                        );
                    }
                }
            }
            // The ledger's sums are those of the rows: what every agent counted is attributed.
            for (sum, total) in [
                (
                    "pod_usage.net_tx_bytes_delta",
                    "reconcile.net_tx_bytes_total",
                ),
                (
                    "pod_usage.net_rx_bytes_delta",
                    "reconcile.net_rx_bytes_total",
                ),
            ] {
                ensure!(
                    number(sum)? == number(total)? && number(sum)? > 0.0,
                    "{sum} in {found}"
                );
            }
            let cpu_ns = number("pod_usage.cpu_seconds")? * 1e9;
            let off = (cpu_ns - number("reconcile.cpu_ns_total")?).abs();
            ensure!(off < 1_000.0 && cpu_ns > 0.0, "{off} ns in {found}");
        }
        for (table, version) in &report.versions {
            ensure!(
                readers[0]["versions"][table] == *version,
                "{table} in {}",
                readers[0]
            );
        }
    }
    Ok(())
}
