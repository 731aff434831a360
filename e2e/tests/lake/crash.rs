//! A commit that dies, by the name of where it dies, and commits against rivals and a bad store.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aggregator::held::Held;
use aggregator::lake::Lake;
use aggregator::lake::settings::CrashPoint;
use anyhow::{Context as _, Result, ensure};
use e2e::store::Rules;
use protocol::{GapReason, Table};
use tokio::sync::oneshot;

use crate::place::Place;
use crate::world::{Agent, assert_proved, lake, sealed, settings, verify};

/// Tables of which the agents have rows.
const TABLES: [Table; 4] = [
    Table::PodUsage,
    Table::PodNetwork,
    Table::NodeUsage,
    Table::Reconcile,
];

/// Cycles until all is committed; each of them has all the tries of the lake.
const MOST_CYCLES: usize = 20;

/// Commits until the point is reached, and no step further.
async fn die(place: &Place, point: CrashPoint, batches: &[Held]) -> Result<()> {
    let (reached, is_reached) = oneshot::channel();
    let reached = Mutex::new(Some(reached));
    let mut settings = settings();
    settings.hook = Arc::new(move |at| {
        if at != point {
            return Box::pin(std::future::ready(()));
        }
        let reached = reached.lock().ok().and_then(|mut reached| reached.take());
        if let Some(reached) = reached {
            reached.send(()).unwrap_or_default();
        }
        Box::pin(std::future::pending())
    });
    let lake = lake(place, settings).await?;
    let sealed = sealed(batches.iter().cloned());
    tokio::select! {
        committed = lake.commit(&sealed) => {
            committed?;
            anyhow::bail!("{point:?} was never reached");
        }
        reached = is_reached => reached.context("the commit is gone"),
    }
}

/// What an agent sends again: all that the ledger does not have.
fn again(lake: &Lake, batches: &[Held]) -> Vec<Held> {
    let ledger = lake.ledger();
    let open = |batch: &&Held| batch.seq > ledger.seq(&batch.sender);
    batches.iter().filter(open).cloned().collect()
}

/// Dies there in the second of three commits; another process takes over.
async fn dies_and_goes_on(place: &Place, point: CrashPoint) -> Result<()> {
    let (mut one, mut other) = (Agent::new(1), Agent::new(2));
    let first = lake(place, settings()).await?;
    first.commit(&sealed(one.batches(2)?)).await?;
    let batches: Vec<Held> = one
        .batches(2)?
        .into_iter()
        .chain(other.batches(1)?)
        .collect();
    die(place, point, &batches).await?;

    let is_done = matches!(
        point,
        CrashPoint::AfterLogEntry(Table::Reconcile) | CrashPoint::BeforeAnswer
    );
    let half = verify(place, false).await?;
    ensure!(half.is_proved(), "just after: {half}");
    ensure!(
        half.batches == if is_done { 5 } else { 2 },
        "just after: {half}"
    );
    let is_begun = !matches!(
        point,
        CrashPoint::AfterUpload(Table::PodUsage) | CrashPoint::AfterWatermark(Table::PodUsage)
    );
    let open = if is_begun && !is_done { 3 } else { 0 };
    ensure!(half.in_progress.batches == open, "just after: {half}");

    let next = lake(place, settings()).await?;
    let mut resent = again(&next, &batches);
    ensure!(resent.len() == if is_done { 0 } else { 3 });
    resent.extend(one.batches(1)?);
    next.commit(&sealed(resent)).await?;
    let report = assert_proved(place).await?;
    ensure!(
        report.batches == 6 && report.in_progress.batches == 0,
        "{report}"
    );
    // One that was there before and knows nothing of all this.
    first.commit(&sealed(batches)).await?;
    ensure!(assert_proved(place).await? == report, "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_dies_loses_nothing() -> Result<()> {
    let points = TABLES.into_iter().flat_map(|table| {
        [
            CrashPoint::AfterUpload(table),
            CrashPoint::AfterWatermark(table),
            CrashPoint::AfterLogEntry(table),
        ]
    });
    for point in points.chain([CrashPoint::BeforeAnswer]) {
        for place in Place::both()? {
            let gone_on = dies_and_goes_on(&place, point).await;
            gone_on.with_context(|| format!("{point:?}"))?;
        }
    }
    Ok(())
}

/// Without a second commit what died stays half done, and is told once it is old.
#[tokio::test(flavor = "multi_thread")]
async fn what_stays_half_done_is_told() -> Result<()> {
    let place = Place::s3()?;
    let point = CrashPoint::AfterLogEntry(Table::PodNetwork);
    die(&place, point, &Agent::new(1).batches(2)?).await?;
    let report = verify(&place, true).await?;
    ensure!(!report.is_proved(), "{report}");
    let told = report.to_string();
    ensure!(
        told.contains("2 batches with rows, long ago, but none in the ledger"),
        "{told}"
    );
    Ok(())
}

/// Two aggregators with the same batches on a store that fails in every way.
#[tokio::test(flavor = "multi_thread")]
async fn rivals_on_a_bad_store_commit_once() -> Result<()> {
    for seed in 1..=4 {
        let place = Place::s3()?;
        let faults = place.faults().context("no server")?;
        let mut patient = settings();
        patient.retry.answer = Duration::from_millis(300);
        let rivals = [
            lake(&place, patient.clone()).await?,
            lake(&place, patient.clone()).await?,
        ];
        faults.set(Rules {
            seed,
            internal: 0.05,
            unavailable: 0.05,
            throttled: 0.03,
            conflict: 0.05,
            done_error: 0.1,
            late: 0.05,
            silent: 0.01,
            done_silent: 0.01,
            slow: 0.1,
            delay_ms: 20,
            ..Rules::default()
        });
        let mut agents = [Agent::new(1), Agent::new(2), Agent::new(3)];
        let mut sent = 0;
        for round in 0..5 {
            let mut batches = Vec::new();
            for agent in &mut agents {
                batches.extend(agent.batches(2)?);
            }
            sent += batches.len() as u64;
            both_commit(&rivals, &batches).await?;
            if round == 2 {
                let gap = agents[0].gap(GapReason::Refused)?;
                sent += 1;
                both_commit(&rivals, &[gap]).await?;
                agents[1].restart();
            }
        }
        let counts = faults.counts();
        ensure!(
            counts.faults > 20 && counts.refused > 10,
            "seed {seed}: {counts:?}"
        );
        faults.clear();
        let report = assert_proved(&place)
            .await
            .with_context(|| format!("seed {seed}"))?;
        ensure!(report.batches == sent, "seed {seed}: {sent} sent\n{report}");
        ensure!(report.in_progress.batches == 0, "seed {seed}: {report}");
    }
    Ok(())
}

/// Each has all of it; both must end knowing that all is committed.
async fn both_commit(rivals: &[Lake; 2], batches: &[Held]) -> Result<()> {
    let commit = async |lake: &Lake| {
        let mut last = None;
        // An outcome that is not known after all tries is found out by the next cycle.
        for _ in 0..MOST_CYCLES {
            let open = again(lake, batches);
            if open.is_empty() {
                return anyhow::Ok(());
            }
            last = lake.commit(&sealed(open)).await.err().or(last);
            drop(lake.reload_ledger().await);
        }
        Err(last.map_or_else(|| anyhow::anyhow!("nothing failed"), Into::into))
    };
    let done = tokio::try_join!(commit(&rivals[0]), commit(&rivals[1]));
    done.map(drop)
}
