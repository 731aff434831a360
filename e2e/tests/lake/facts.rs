//! Facts about delta-rs that the protocol knows of. The commit does not use it; whoever is tempted to
//! sees here what would have to stay true, and what would not do.

use std::sync::Arc;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, DataType, PrimitiveType, StructField, Transaction};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef};
use deltalake_core::operations::CustomExecuteHandler;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaResult, DeltaTable, DeltaTableError};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::place::Place;

const APP: &str = "podledger/wm";

async fn create(place: &Place) -> Result<DeltaTable> {
    let column = StructField::new("seq", DataType::Primitive(PrimitiveType::Long), true);
    let table = CreateBuilder::new()
        .with_log_store(place.log_store("t")?)
        .with_columns([column])
        .await?;
    Ok(table)
}

/// An append, as a commit of ours would be.
fn append(file: &str, number: i64) -> CommitBuilder {
    let add = Add {
        path: format!("{file}.parquet"),
        size: 1,
        data_change: true,
        ..Add::default()
    };
    let properties = CommitProperties::default()
        .with_max_retries(0)
        .with_application_transaction(Transaction::new(APP, number));
    CommitBuilder::from(properties).with_actions(vec![Action::Add(add)])
}

async fn commit(table: &DeltaTable, builder: CommitBuilder) -> DeltaResult<u64> {
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: None,
        predicate: None,
    };
    let commit = builder.build(Some(table.snapshot()?), table.log_store(), operation);
    Ok(commit.await?.version())
}

async fn latest(table: &DeltaTable) -> Result<u64> {
    Ok(table.log_store().get_latest_version(0).await?)
}

fn is_refused(result: &DeltaResult<u64>) -> bool {
    let error = result.as_ref().err();
    matches!(
        error,
        Some(DeltaTableError::Transaction {
            source: TransactionError::MaxCommitAttempts(0)
        })
    )
}

/// Without retries a commit stands on its snapshot, or fails: a log that is one ahead refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn without_retries_a_log_that_is_ahead_refuses() -> Result<()> {
    for place in Place::both()? {
        let behind = create(&place).await?;
        let other = place.open("t").await?;
        ensure!(commit(&other, append("other", 1)).await? == 1);
        let result = commit(&behind, append("behind", 1)).await;
        ensure!(is_refused(&result), "{result:?}");
        ensure!(latest(&behind).await? == 1, "nothing was put");
        let fresh = place.open("t").await?;
        ensure!(fresh.get_file_uris()?.count() == 1, "only the other's file");
        ensure!(
            commit(&fresh, append("behind", 2)).await? == 2,
            "on a fresh snapshot"
        );
    }
    Ok(())
}

/// With the retries that it has by default, the same commit is moved to the next version although
/// what it was filtered by has changed. That would be rows twice.
#[tokio::test(flavor = "multi_thread")]
async fn with_retries_a_commit_is_moved_to_another_version() -> Result<()> {
    let place = Place::s3()?;
    let behind = create(&place).await?;
    let other = place.open("t").await?;
    commit(&other, append("other", 1).with_max_retries(15)).await?;
    let mut builder = append("behind", 1).with_max_retries(15);
    let result = commit(&behind, builder).await;
    ensure!(
        result.is_err(),
        "the same application's transaction is a conflict: {result:?}"
    );
    let add = Add {
        path: "behind.parquet".to_owned(),
        data_change: true,
        ..Add::default()
    };
    builder = CommitBuilder::default().with_actions(vec![Action::Add(add)]);
    ensure!(
        commit(&behind, builder).await? == 2,
        "without a transaction nothing stops it"
    );
    Ok(())
}

/// A transaction's version may fall: nothing but the log's version keeps an old writer out.
#[tokio::test(flavor = "multi_thread")]
async fn a_lower_transaction_is_taken_on_a_fresh_snapshot() -> Result<()> {
    let place = Place::folder()?;
    let table = create(&place).await?;
    commit(&table, append("a", 7)).await?;
    let table = place.open("t").await?;
    commit(&table, append("b", 3)).await?;
    let table = place.open("t").await?;
    let log_store = table.log_store();
    let version = table
        .snapshot()?
        .transaction_version(log_store.as_ref(), APP)
        .await?;
    ensure!(version == Some(3), "{version:?}");
    Ok(())
}

/// The entry is put with a condition: it never replaces another.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_put_on_condition() -> Result<()> {
    for place in Place::both()? {
        let table = create(&place).await?;
        let before = place.log_store("t")?.read_commit_entry(0).await?;
        let entry = CommitOrBytes::LogBytes("{}".into());
        let result = table
            .log_store()
            .write_commit_entry(0, entry, Uuid::nil())
            .await;
        ensure!(
            matches!(result, Err(TransactionError::VersionAlreadyExists(0))),
            "{result:?}"
        );
        ensure!(place.log_store("t")?.read_commit_entry(0).await? == before);
    }
    Ok(())
}

/// Of several from one snapshot at once, one wins.
#[tokio::test(flavor = "multi_thread")]
async fn of_commits_at_once_one_wins() -> Result<()> {
    for place in Place::both()? {
        let table = create(&place).await?;
        for round in 1..=5 {
            let table = place.open("t").await?;
            let commits =
                (0..6).map(|writer| commit(&table, append(&format!("{round}-{writer}"), round)));
            let results = join_all(commits).await;
            let won = results.iter().filter(|result| result.is_ok()).count();
            ensure!(
                won == 1 && results.iter().filter(|result| is_refused(result)).count() == 5,
                "{results:?}"
            );
        }
        ensure!(latest(&table).await? == 5);
    }
    Ok(())
}

/// Fails when everything is done.
struct Failing;

#[async_trait]
impl CustomExecuteHandler for Failing {
    async fn pre_execute(&self, _: &LogStoreRef, _: Uuid) -> DeltaResult<()> {
        Ok(())
    }

    async fn post_execute(&self, _: &LogStoreRef, _: Uuid) -> DeltaResult<()> {
        Ok(())
    }

    async fn before_post_commit_hook(&self, _: &LogStoreRef, _: bool, _: Uuid) -> DeltaResult<()> {
        Err(DeltaTableError::generic("the hook failed"))
    }

    async fn after_post_commit_hook(&self, _: &LogStoreRef, _: bool, _: Uuid) -> DeltaResult<()> {
        Ok(())
    }
}

/// What fails after the put is reported as the commit's failure, though it is in the log.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_put_looks_like_a_failed_commit() -> Result<()> {
    for place in Place::both()? {
        let table = create(&place).await?;
        let builder = append("a", 1).with_post_commit_hook_handler(Some(Arc::new(Failing)));
        let result = commit(&table, builder).await;
        let error = result
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        ensure!(error.contains("the hook failed"), "{error}");
        let table = place.open("t").await?;
        ensure!(table.version() == Some(1), "it landed");
        ensure!(table.get_file_uris()?.count() == 1);
    }
    Ok(())
}
