//! The statements of `docs/sql`, over tables that are made up: DuckDB runs them all, and plain loops over the rows say
//! what they should answer.

use std::{process::Command, sync::Arc};

use aggregator::{
    care::{Care, Settings, command},
    generate::{Shape, fill},
    lake::rows::MergeFiles,
};
use anyhow::{Context as _, Result, ensure};
use object_store::path::Path;
use protocol::Timestamp;
use serde_json::Value;

use crate::place::{PREFIX, Place};
use crate::readers::interpreter;

/// Two hours of a morning, in which every question has an answer.
fn morning() -> Shape {
    Shape {
        seed: 2,
        cluster: "production".to_owned(),
        pods: 150,
        // 2026-11-20T07:00:00Z: the day that the statements ask for.
        start: Timestamp {
            unix_us: 1_795_158_000_000_000,
        },
        interval_us: 30_000_000,
        length_us: 2 * 3_600_000_000,
    }
}

/// Makes the hours and merges the files, as on the day after.
fn take_care(place: &Place) -> Result<()> {
    let next_day = morning().start.plus_us(24 * 3_600_000_000);
    let settings = Settings {
        clock: Arc::new(move || next_day),
        ..command::settings(MergeFiles::default())
    };
    let care = Care::new(place.store(), &Path::from(PREFIX), settings);
    let runtime = tokio::runtime::Runtime::new()?;
    let merged = runtime.block_on(care.round())?;
    ensure!(merged.before.files > merged.after.files, "{merged:?}");
    ensure!(care.tally().hours.get() >= 2, "{:?}", care.tally());
    Ok(())
}

#[test]
fn every_statement_runs_and_answers_what_is_there() -> Result<()> {
    let Some(python) = interpreter()? else {
        return Ok(());
    };
    let place = Place::folder()?;
    let rows = fill(place.store(), Path::from(PREFIX), morning(), |_| {})?;
    ensure!(rows > 30_000, "{rows}");
    take_care(&place)?;
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/readers/sql_pack.py"));
    command.arg(place.url()?.as_str());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sql"));
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let answered = told["rows"].as_object().context("no rows")?;
    for (question, rows) in answered {
        // Nothing is missing from these tables.
        let is_none = question == "questions/holes";
        ensure!((rows == 0) == is_none, "{question}: {rows} rows");
    }
    ensure!(
        answered.len() >= 14 && told["compared"].as_u64() >= Some(12),
        "{told}"
    );
    Ok(())
}
