//! A process that dies at each named point of a cycle, and another one that goes on.

use std::sync::Mutex;

use super::*;
use crate::lake::settings::CrashPoint;

/// Commits until it reaches a point for the nth time, and dies there.
async fn die_at(store: &Arc<InMemory>, point: CrashPoint, sealed: &Sealed) -> bool {
    let died = Arc::new(Mutex::new(false));
    let told = died.clone();
    let mut settings = settings(1);
    settings.hook = Arc::new(move |at| {
        if at == point {
            *told.lock().unwrap() = true;
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(()))
    });
    let lake = Lake::open(store.clone(), Path::from("p"), settings)
        .await
        .unwrap();
    let commit = lake.commit(sealed);
    drop(tokio::time::timeout(std::time::Duration::from_secs(60), commit).await);
    *died.lock().unwrap()
}

#[tokio::test(start_paused = true)]
async fn dying_at_any_point_loses_and_repeats_nothing() {
    let tables = [Table::PodUsage, Table::NodeUsage, Table::Reconcile];
    let points = tables.iter().flat_map(|&table| {
        [
            CrashPoint::AfterUpload(table),
            CrashPoint::AfterWatermark(table),
            CrashPoint::AfterLogEntry(table),
        ]
    });
    for point in points.chain([CrashPoint::BeforeAnswer]) {
        let store = Arc::new(InMemory::new());
        let first = open(store.clone(), 9).await.unwrap();
        first.commit(&run("a", 1, 2)).await.unwrap();
        assert!(die_at(&store, point, &run("a", 3, 4)).await, "{point:?}");
        let next = open(store.clone(), 2).await.unwrap();
        let committed = next.ledger().seq(&batch("a", 1).sender);
        let is_last = matches!(
            point,
            CrashPoint::AfterLogEntry(Table::Reconcile) | CrashPoint::BeforeAnswer
        );
        assert_eq!(committed, if is_last { 4 } else { 2 }, "{point:?}");
        // The agent sends again what it was not told to be committed, and more.
        next.commit(&run("a", committed + 1, 5)).await.unwrap();
        // And the first one, which slept through all this, holds the same.
        first.commit(&run("a", 3, 5)).await.unwrap();
        assert_holds(&store, &once(&[("a", 5)])).await;
    }
}

/// One holds a batch whole, the other the gap that took its place. The other commits rows of other nodes
/// and dies before its ledger says so: nothing of the gap may be in the data tables' watermarks, or the
/// first one's rows would vanish.
#[tokio::test(start_paused = true)]
async fn a_gap_that_never_reached_the_ledger_hides_no_rows() {
    let store = Arc::new(InMemory::new());
    let one = open(store.clone(), 9).await.unwrap();
    let other = sealed([gap("a", 1), batch("b", 1)]);
    let point = CrashPoint::AfterLogEntry(Table::NodeUsage);
    assert!(die_at(&store, point, &other).await);
    one.commit(&sealed([batch("a", 1), batch("b", 1)]))
        .await
        .unwrap();
    assert_holds(&store, &once(&[("a", 1), ("b", 1)])).await;
}
