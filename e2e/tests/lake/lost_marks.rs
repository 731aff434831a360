//! A watermark object that somebody deleted: what it said is read from the rows, and nothing comes twice.

use aggregator::held::Held;
use aggregator::lake::log::{Detail, Log, table_path};
use aggregator::lake::{
    counters::Counters,
    random::Random,
    store::{Retry, Store},
    watermark,
};
use anyhow::{Context as _, Result, ensure};
use object_store::{ObjectStoreExt as _, path::Path};
use protocol::{GapReason, Table};
use std::sync::Arc;

use crate::place::{PREFIX, Place};
use crate::world::{Agent, assert_proved, lake, sealed, settings};

/// Deletes the watermark that the table's log names.
async fn lose(place: &Place, table: Table) -> Result<()> {
    let store = Store::new(
        place.store(),
        Retry::default(),
        Arc::new(Random::seeded(1)),
        Arc::new(Counters::default()),
    );
    let folder = table_path(&Path::from(PREFIX), table);
    let log = Log::new(store, &folder, Detail::Heads).read(None).await?;
    let number = log.context("no log")?.watermark;
    place
        .store()
        .delete(&watermark::path(&folder, number))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_read_from_the_rows() -> Result<()> {
    for place in Place::both()? {
        let (mut one, mut other) = (Agent::new(1), Agent::new(2));
        let mut batches: Vec<Held> = one.batches(3)?;
        batches.extend(other.batches(2)?);
        let first = lake(&place, settings()).await?;
        first.commit(&sealed(batches.clone())).await?;
        let gap = other.gap(GapReason::SpoolFull)?;
        first.commit(&sealed([gap.clone()])).await?;
        batches.push(gap);
        for table in [Table::PodUsage, Table::PodNetwork, Table::Reconcile] {
            lose(&place, table).await?;
        }
        let next = lake(&place, settings()).await?;
        ensure!(next.counters().rebuilt.get() == 3);
        let (known, before) = (next.ledger(), first.ledger());
        for batch in &batches {
            let (known, before) = (known.seq(&batch.sender), before.seq(&batch.sender));
            ensure!(known == before, "{:?}: {known}, not {before}", batch.sender);
        }
        // All of it once more, and something new.
        batches.extend(one.batches(1)?);
        next.commit(&sealed(
            batches.iter().filter(|batch| batch.gap.is_none()).cloned(),
        ))
        .await?;
        let report = assert_proved(&place).await?;
        ensure!(report.batches == 7, "{report}");
        // The next watermark is a whole one again.
        let last = lake(&place, settings()).await?;
        ensure!(last.counters().rebuilt.get() == 0);
        ensure!(last.ledger().marks.len() == 2);
    }
    Ok(())
}
