//! The judge finds what is wrong. Each test plants one wrong.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{PutMode, path::Path};
use protocol::{Counts, Epoch, Table};
use serde_json::json;

use super::{Judge, Verdict};
use crate::chaos::{
    store::bucket::Bucket,
    truth::{Content, Name, Truth},
    world::World,
};

const EPOCH: Epoch = Epoch([1; 16]);
/// Units of each batch.
const UNITS: u64 = 10;

struct Scene {
    world: Arc<World>,
    bucket: Arc<Bucket>,
    truth: Arc<Truth>,
    entries: [u64; 5],
}

/// A batch in a file: its table, its seq, its rows, and what else its line says.
type Line = (Table, u64, u64, serde_json::Value);

impl Scene {
    /// A node that kept so many batches, each with a row of `pod_usage`.
    fn of(batches: u64) -> Self {
        let world = World::new(1, false);
        let truth = Truth::new(&world, 1);
        truth.stop();
        truth.with(0, |node| {
            node.epochs.push(EPOCH);
            for seq in 1..=batches {
                let mut rows = Counts::default();
                rows[Table::PodUsage] = 1;
                let content = Content {
                    units: ((seq - 1) * UNITS, seq * UNITS),
                    rows,
                    is_gap: false,
                };
                node.keep(Name { epoch: EPOCH, seq }, content);
            }
        });
        Self {
            world,
            bucket: Arc::default(),
            truth,
            entries: [0; 5],
        }
    }

    fn put(&self, path: &str, bytes: impl Into<Bytes>) {
        let put = self.bucket.put(
            &Path::from(path),
            bytes.into(),
            &PutMode::Create,
            Duration::ZERO,
        );
        put.unwrap();
    }

    /// One commit of one file, its watermark up to `mark`.
    fn commit(&mut self, (table, seq, count, more): Line, mark: u64) {
        let (name, version) = (table.name(), self.entries[table as usize]);
        self.entries[table as usize] += 1;
        let mut line = json!({
            "node_name": "node-0", "epoch": EPOCH.to_string(), "seq": seq, "count": count,
            "units": UNITS, "batch_kind": "whole",
        });
        for (key, value) in more.as_object().unwrap() {
            line[key] = value.clone();
        }
        let line = line.to_string();
        self.put(&format!("p/{name}/{version}.parquet"), line.clone());
        let number = version + 1;
        self.put(
            &format!("p/{name}/_podledger/wm/{number:020}"),
            mark_object(mark),
        );
        let entry = format!(
            "{}\n{}",
            json!({ "add": { "path": format!("{version}.parquet"), "size": line.len() } }),
            json!({ "txn": { "appId": "podledger/wm", "version": number } })
        );
        self.put(&format!("p/{name}/_delta_log/{version:020}.json"), entry);
    }

    fn whole(&mut self, seq: u64) {
        self.commit((Table::PodUsage, seq, 1, json!({})), seq);
        self.ledger(seq);
    }

    fn ledger(&mut self, seq: u64) {
        self.commit(
            (Table::Reconcile, seq, 1, json!({ "rows_pod_usage": 1 })),
            seq,
        );
    }

    fn judge(&self) -> (Verdict, String) {
        let prefix = Path::from("p");
        let verdict = Judge::new(&self.world, &self.bucket, &self.truth, &prefix).end();
        (verdict, self.world.problems().join("\n"))
    }

    fn assert_found(&self, lost: u64, duplicated: u64, problem: &str) {
        let (verdict, problems) = self.judge();
        assert_eq!(verdict, Verdict { lost, duplicated }, "{problems}");
        assert!(
            problems.contains(problem),
            "{problems:?} is not about {problem}"
        );
    }
}

/// A watermark object: the node's epoch up to `seq`, which is below 128.
fn mark_object(seq: u64) -> Vec<u8> {
    let mut one = vec![0x0a, 16];
    one.extend(EPOCH.0);
    one.extend([0x10, u8::try_from(seq).unwrap()]);
    let mut node = vec![0x0a, 6];
    node.extend(b"node-0");
    node.extend([0x12, u8::try_from(one.len()).unwrap()]);
    node.extend(one);
    let mut object = vec![0x1a, u8::try_from(node.len()).unwrap()];
    object.extend(node);
    zstd::stream::encode_all(object.as_slice(), 1).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_whole_ledger_is_found_whole() {
    let mut scene = Scene::of(2);
    scene.whole(1);
    scene.whole(2);
    let (verdict, problems) = scene.judge();
    assert_eq!((verdict, problems.as_str()), (Verdict::default(), ""));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_in_a_table_twice_is_found() {
    let mut scene = Scene::of(1);
    scene.whole(1);
    scene.commit((Table::PodUsage, 1, 1, json!({})), 1);
    scene.assert_found(0, 1, "I1: pod_usage has 2 rows");
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_its_rows_is_found() {
    let mut scene = Scene::of(1);
    scene.ledger(1);
    scene.assert_found(1, 0, "I5: pod_usage has 0 rows");
}

#[tokio::test(start_paused = true)]
async fn a_hole_in_the_ledger_is_found() {
    let mut scene = Scene::of(3);
    scene.whole(1);
    scene.whole(3);
    scene.assert_found(
        3,
        0,
        "I3: node-0 01010101010101010101010101010101 3 is in the ledger, 2 is not",
    );
}

#[tokio::test(start_paused = true)]
async fn units_in_two_batches_are_found() {
    let mut scene = Scene::of(2);
    scene.truth.with(0, |node| {
        let second = Name {
            epoch: EPOCH,
            seq: 2,
        };
        node.kept.get_mut(&second).unwrap().units = (5, 15);
    });
    scene.whole(1);
    scene.whole(2);
    scene.assert_found(0, 1, "I8: node-0 tells (0, 10) and (5, 15)");
}

#[tokio::test(start_paused = true)]
async fn a_watermark_that_is_too_high_or_too_low_is_found() {
    let mut high = Scene::of(1);
    high.commit((Table::PodUsage, 1, 1, json!({})), 1);
    high.commit((Table::Reconcile, 1, 1, json!({ "rows_pod_usage": 1 })), 2);
    high.assert_found(0, 0, "I4: the ledger's watermark");
    let mut low = Scene::of(1);
    low.commit((Table::PodUsage, 1, 1, json!({})), 0);
    low.ledger(1);
    low.assert_found(0, 0, "I4: pod_usage has");
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_too_early_is_found() {
    let scene = Scene::of(1);
    scene.truth.with(0, |node| node.deleted.insert(EPOCH, 1));
    scene.assert_found(2, 0, "I2: (\"node-0\"");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_gone_is_found() {
    let mut scene = Scene::of(1);
    scene.whole(1);
    let prefix = Path::from("p");
    let mut judge = Judge::new(&scene.world, &scene.bucket, &scene.truth, &prefix);
    judge.look();
    assert!(!scene.world.is_broken());
    scene.bucket.delete(&Path::from("p/pod_usage/0.parquet"));
    judge.look();
    assert!(
        scene
            .world
            .problems()
            .join("")
            .contains("I6: 0.parquet of pod_usage is gone")
    );
}

#[tokio::test(start_paused = true)]
async fn a_gap_explains_missing_rows() {
    let mut scene = Scene::of(2);
    scene.commit(
        (
            Table::Reconcile,
            1,
            1,
            json!({ "batch_kind": "gap", "units": 0 }),
        ),
        1,
    );
    scene.whole(2);
    let (verdict, problems) = scene.judge();
    assert_eq!((verdict, problems.as_str()), (Verdict::default(), ""));
}

#[tokio::test(start_paused = true)]
async fn a_lost_spool_must_be_told() {
    let mut scene = Scene::of(1);
    scene.truth.with(0, |node| {
        node.lose();
        let next = Epoch([2; 16]);
        node.epochs.push(next);
        let content = Content {
            units: (UNITS, 2 * UNITS),
            rows: Counts::default(),
            is_gap: false,
        };
        node.keep(
            Name {
                epoch: next,
                seq: 1,
            },
            content,
        );
    });
    let previous = json!({
        "epoch": Epoch([2; 16]).to_string(), "prev_epoch": EPOCH.to_string(), "prev_last": 1,
    });
    scene.commit((Table::Reconcile, 1, 1, previous), 1);
    let (_, problems) = scene.judge();
    assert!(
        problems.contains("as the epoch before, not None"),
        "{problems}"
    );
}
