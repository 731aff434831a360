//! A store that answers nine of ten requests with 503, for half an hour.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use object_store::path::Path;

use super::{
    check::Verdict,
    profile::{Profile, Store},
    random::Random,
    run::{Stage, alone},
    store::bucket::Bucket,
    world::World,
};

const SEED: u64 = 503;
const MINUTE: Duration = Duration::from_secs(60);
const MINUTES: u32 = 30;
const WINDOW_MS: u64 = 30_000;

fn profile() -> Profile {
    Profile {
        agents: 20,
        aggregators: 1,
        scales: false,
        windows: u64::from(MINUTES) * 60_000 / WINDOW_MS,
        window_ms: WINDOW_MS,
        store: Store {
            refuse: 9_000,
            slowness: 50,
            ..Store::default()
        },
        network: super::profile::Network {
            slowness: 5,
            ..Default::default()
        },
        disk: super::profile::Disk::default(),
        // None before the end.
        disaster_ms: 1_000_000_000,
        polls: 0,
        spool_bytes: 1 << 30,
        refused: 0,
        commit_ms: 10_000,
        care_ms: 0,
        readers_s: 0,
        history_s: 0,
        is_parquet: false,
        clocks_jump: false,
        disks_fail: false,
    }
}

/// Requests in each minute, until nothing more happens.
async fn minutes(bucket: Arc<Bucket>, of: u32) -> Vec<u64> {
    let (mut minutes, mut before) = (Vec::new(), 0);
    for _ in 0..of {
        tokio::time::sleep(MINUTE).await;
        let now = bucket.requests();
        minutes.push(now - before);
        before = now;
    }
    minutes
}

/// Data files that no log names.
fn orphans(bucket: &Bucket) -> BTreeSet<String> {
    let all = bucket.list(&Path::from("ledger"));
    let paths = || all.iter().map(|object| object.location.as_ref());
    let is_entry = |path: &&str| path.contains("/_delta_log/") && path.ends_with(".json");
    let logs = paths().filter(is_entry).map(|path| {
        let entry = bucket.get(&Path::from(path)).unwrap();
        String::from_utf8(entry.bytes.to_vec()).unwrap()
    });
    let logs: String = logs.collect();
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let files = paths().filter(|path| path.ends_with(".parquet")).map(name);
    files.filter(|name| !logs.contains(name)).collect()
}

#[test]
fn it_is_asked_rarely_caught_up_with_soon_and_left_clean() {
    let (asked, took, verdict, orphans, problems) = alone(SEED, || async {
        let world = World::with_profile(Random::new(SEED), profile(), false);
        let mut stage = Stage::set(world);
        let asked = tokio::spawn(minutes(Arc::clone(&stage.bucket), MINUTES));
        stage.trouble().await;
        let healed = stage.world.elapsed();
        stage.heal();
        stage.drain().await;
        let took = stage.world.elapsed() - healed;
        let verdict = stage.judge.end();
        let orphans = orphans(&stage.bucket);
        (
            asked.await.unwrap(),
            took,
            verdict,
            orphans,
            stage.world.problems(),
        )
    })
    .unwrap();
    let last_ten = asked[20..].iter().sum::<u64>() as f64 / 600.0;
    assert!(last_ten < 1.0, "{last_ten} requests a second: {asked:?}");
    assert!(
        took < MINUTE * MINUTES / 5,
        "caught up after {took:?}; {asked:?}"
    );
    assert_eq!(orphans, BTreeSet::new());
    assert_eq!((verdict, problems), (Verdict::default(), Vec::new()));
}
