//! delta-rs reads what the lake wrote.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use deltalake_core::DeltaTable;
use deltalake_core::protocol::checkpoints::create_checkpoint;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use protocol::{Column, Table};

use crate::place::{PREFIX, Place};
use crate::world::{Agent, assert_proved, fill, lake, sealed, settings};

/// Rows of each table, counted in its files, which delta-rs names.
async fn rows(place: &Place, table: &DeltaTable, name: &str) -> Result<u64> {
    let mut rows = 0;
    for file in table.snapshot()?.log_data() {
        let relative = file.object_store_path();
        let path = Path::parse(format!("{PREFIX}/{name}/{relative}"))?;
        let bytes = place.store().get(&path).await?.bytes().await?;
        ensure!(bytes.len() as i64 == file.size(), "size of {path}");
        let mut found = 0;
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
            found += batch?.num_rows();
        }
        let told = file.num_records().context("no statistics")?;
        ensure!(told == found, "{told} rows in the log, {found} in {path}");
        rows += found as u64;
    }
    Ok(rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn delta_rs_reads_the_tables() -> Result<()> {
    for place in Place::both()? {
        fill(&place).await?;
        let report = assert_proved(&place).await?;
        ensure!(
            (report.batches, report.epochs, report.nodes) == (10, 3, 2),
            "{report}"
        );
        ensure!(report.gaps["spool_full"].rows_lost == 7, "{report}");
        for table in Table::ALL {
            let name = table.name();
            let opened = place.open(name).await?;
            let version = opened.version();
            ensure!(
                version == report.versions.get(name).copied(),
                "{name}: {version:?}"
            );
            let found = rows(&place, &opened, name).await?;
            ensure!(found == report.rows[name], "{name}: {found} rows\n{report}");
            transactions(&opened, version).await?;
            schema(&opened, table)?;
        }
    }
    Ok(())
}

/// Each commit names a watermark of its own, from 1 on.
async fn transactions(table: &DeltaTable, version: Option<u64>) -> Result<()> {
    let log_store = table.log_store();
    let state = table.snapshot()?;
    let watermark = state
        .transaction_version(log_store.as_ref(), "podledger/wm")
        .await?;
    let commits = version
        .filter(|version| *version > 0)
        .map(|version| version as i64);
    ensure!(watermark == commits, "{watermark:?} at {version:?}");
    let fence = state
        .transaction_version(log_store.as_ref(), "podledger/fence")
        .await?;
    ensure!(fence.is_none(), "{fence:?}");
    Ok(())
}

fn schema(table: &DeltaTable, of: Table) -> Result<()> {
    let state = table.snapshot()?;
    let partitions = state.metadata().partition_columns();
    ensure!(*partitions == ["cluster", "date"], "{partitions:?}");
    let schema = state.schema();
    let names: Vec<&str> = schema.fields().map(|field| field.name().as_str()).collect();
    let mut expected: Vec<&str> = of
        .columns()
        .iter()
        .map(|column: &Column| column.name)
        .collect();
    expected.extend(["cluster", "date"]);
    ensure!(names == expected, "{names:?}");
    Ok(())
}

/// Any name of a cluster is some folder, and every reader finds it.
#[tokio::test(flavor = "multi_thread")]
async fn strange_clusters_are_found() -> Result<()> {
    for place in Place::both()? {
        let lake = lake(&place, settings()).await?;
        for (number, cluster) in (1..).zip(["prod/eu west%é", "a=b", "100%25", "+ &?#"]) {
            let mut agent = Agent::new(number).of(cluster);
            lake.commit(&sealed(agent.batches(2)?)).await?;
        }
        let report = assert_proved(&place).await?;
        let opened = place.open("pod_usage").await?;
        let found = rows(&place, &opened, "pod_usage").await?;
        ensure!(
            found == 4 * 2 * 7 && found == report.rows["pod_usage"],
            "{found}\n{report}"
        );
        let mut clusters = BTreeMap::<String, usize>::new();
        for file in opened.snapshot()?.log_data() {
            let values = file.partition_values().context("no partition")?;
            let value = values.fields().iter().zip(values.values());
            let cluster = value.filter(|(field, _)| field.name() == "cluster");
            for (_, value) in cluster {
                *clusters.entry(value.to_string()).or_default() += 1;
            }
        }
        let names: Vec<&String> = clusters.keys().collect();
        ensure!(names.len() == 4, "{names:?}");
    }
    Ok(())
}

/// A checkpoint of delta-rs is read here, and so are the entries after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_delta_rs_is_read() -> Result<()> {
    for place in Place::both()? {
        fill(&place).await?;
        let before = assert_proved(&place).await?;
        for table in Table::ALL {
            create_checkpoint(&place.open(table.name()).await?, None).await?;
        }
        // Entries up to the checkpoint are cleaned away in time.
        for (name, version) in &before.versions {
            for version in 0..=*version {
                let entry = format!("{PREFIX}/{name}/_delta_log/{version:020}.json");
                place.store().delete(&Path::from(entry)).await?;
            }
        }
        ensure!(assert_proved(&place).await? == before);
        let lake = lake(&place, settings()).await?;
        lake.commit(&sealed(Agent::new(3).batches(1)?)).await?;
        let after = assert_proved(&place).await?;
        ensure!(after.batches == before.batches + 1, "{after}");
    }
    Ok(())
}
