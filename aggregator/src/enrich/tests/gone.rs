//! Objects that come in any order, change, and go.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::*;

#[test]
fn the_order_does_not_matter() {
    let mut all = others();
    all.push((Kind::Pods, pod()));
    for turn in 0..all.len() {
        all.rotate_left(1);
        for reverse in [false, true] {
            let objects = objects();
            let mut order = all.clone();
            if reverse {
                order.reverse();
            }
            for (kind, object) in &order {
                put(&objects, *kind, object);
            }
            assert_eq!(told(&objects, POD), Some(whole()), "{turn} {reverse}");
        }
    }
}

#[test]
fn until_the_replica_set_is_known_its_name_tells() {
    let objects = objects();
    put(&objects, Kind::Pods, &pod());
    let before = told(&objects, POD).unwrap();
    assert_eq!(before.owner.as_deref(), Some("Deployment/web"));
    assert_eq!(before.workload, "Deployment web");
    assert_eq!((before.claimed_bytes, before.volumes), (None, None));
    let mut orphan = replica_set();
    orphan["metadata"]["ownerReferences"] = json!([]);
    put(&objects, Kind::ReplicaSets, &orphan);
    assert_eq!(told(&objects, POD).unwrap().workload, "Deployment web");
    put(&objects, Kind::ReplicaSets, &replica_set());
    assert_eq!(told(&objects, POD).unwrap().workload, "Rollout web");
}

#[test]
fn a_pod_of_a_cron_job() {
    let objects = objects();
    let owned = |uid: &str, kind: &str, name: &str, by: &str| {
        let owner = json!({"kind": kind, "name": name, "uid": by, "controller": true});
        json!({"metadata": {"uid": uid, "namespace": "n", "name": uid, "ownerReferences": [owner]}})
    };
    put(
        &objects,
        Kind::Pods,
        &owned("pod", "Job", "night-123", "job"),
    );
    assert_eq!(told(&objects, "pod").unwrap().workload, "Job night-123");
    put(
        &objects,
        Kind::Jobs,
        &owned("job", "CronJob", "night", "cron"),
    );
    let pod = told(&objects, "pod").unwrap();
    assert_eq!(pod.owner.as_deref(), Some("CronJob/night"));
    assert_eq!(pod.workload, "CronJob night");
}

#[test]
fn a_change_is_seen_and_what_was_before_is_let_go() {
    let objects = objects();
    put(&objects, Kind::Pods, &pod());
    let texts = objects.tally().texts;
    let mut other = pod();
    other["metadata"]["labels"] = json!({"app": "shop"});
    put(&objects, Kind::Pods, &other);
    let labels = told(&objects, POD).unwrap().labels.unwrap();
    assert_eq!(labels, ["app=shop"]);
    put(&objects, Kind::Pods, &pod());
    assert_eq!(objects.tally().texts, texts);
    assert_eq!(objects.tally().there[Kind::Pods as usize], 1);
}

/// A store that keeps what is gone for 100 seconds, and how many have passed.
fn timed() -> (Arc<Objects>, Arc<AtomicU64>) {
    let (start, seconds) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let passed = Arc::clone(&seconds);
    let clock = move || start + Duration::from_secs(passed.load(Ordering::Relaxed));
    let settings = Settings {
        bounds: Bounds {
            keep_gone: Duration::from_secs(100),
            ..Bounds::default()
        },
        clock: Arc::new(clock),
    };
    (Objects::new(settings), seconds)
}

#[test]
fn late_rows_find_what_is_gone_and_then_nothing_is_left_of_it() {
    let (objects, seconds) = timed();
    let mut all = others();
    all.push((Kind::Pods, pod()));
    let mirror = json!({"metadata": {"uid": "m", "namespace": "n", "name": "m",
        "annotations": {"kubernetes.io/config.mirror": "hash"}}});
    all.push((Kind::Pods, mirror));
    for (kind, object) in &all {
        put(&objects, *kind, object);
    }
    for (kind, object) in &all {
        bury(&objects, *kind, object);
    }
    assert_eq!(objects.tally().there, [0; 6]);
    seconds.fetch_add(99, Ordering::Relaxed);
    objects.end(Kind::Pods);
    assert_eq!(told(&objects, POD), Some(whole()));
    assert!(told(&objects, "hash").is_some());
    seconds.fetch_add(1, Ordering::Relaxed);
    objects.end(Kind::Pods);
    assert_eq!(told(&objects, POD), None);
    assert_eq!(told(&objects, "hash"), None);
    assert_eq!(objects.tally(), Default::default());
}

#[test]
fn those_that_are_gone_are_bounded() {
    let bounds = Bounds {
        most_gone: 3,
        ..Bounds::default()
    };
    let objects = with(bounds);
    for number in 0..10 {
        let mut pod = pod();
        pod["metadata"]["uid"] = json!(number.to_string());
        bury(&objects, Kind::Pods, &pod);
    }
    let known = |number: u32| told(&objects, &number.to_string()).is_some();
    assert!(known(7) && known(9) && !known(6));
}

#[test]
fn pods_and_texts_are_bounded() {
    let bounds = Bounds {
        most_pods: 2,
        most_text_bytes: 60,
        ..Bounds::default()
    };
    let objects = with(bounds);
    for uid in ["a", "b", "c"] {
        let mut pod = pod();
        pod["metadata"]["uid"] = json!(uid);
        pod["metadata"]["labels"] = json!({"label": format!("of {uid}, and longer than a bit")});
        put(&objects, Kind::Pods, &pod);
    }
    let tally = objects.tally();
    assert_eq!(
        (tally.there[Kind::Pods as usize], tally.pods_left_out),
        (2, 1)
    );
    assert!(told(&objects, "a").unwrap().labels.is_some());
    assert_eq!(told(&objects, "b").unwrap().labels, None);
    assert!(tally.lists_left_out >= 2);
}

#[test]
fn a_list_takes_away_what_it_does_not_tell() {
    let objects = objects();
    let named = |uid: &str| {
        let mut pod = pod();
        pod["metadata"]["uid"] = json!(uid);
        pod
    };
    for uid in ["a", "b"] {
        put(&objects, Kind::Pods, &named(uid));
    }
    objects.begin(Kind::Pods);
    put(&objects, Kind::Pods, &named("b"));
    put(&objects, Kind::Pods, &named("c"));
    assert_eq!(objects.tally().there[Kind::Pods as usize], 3);
    objects.end(Kind::Pods);
    let tally = objects.tally();
    assert_eq!(tally.there[Kind::Pods as usize], 2);
    assert_eq!(tally.gone[Kind::Pods as usize], 1);
    assert!(told(&objects, "a").is_some(), "it can still be found");
    // Lists of other kinds have nothing to do with it.
    objects.begin(Kind::Nodes);
    objects.end(Kind::Nodes);
    assert_eq!(objects.tally().there[Kind::Pods as usize], 2);
}

#[test]
fn a_static_pod_that_is_made_anew_keeps_its_hash() {
    let (objects, seconds) = timed();
    let mirror = |uid: &str, label: &str| {
        json!({"metadata": {"uid": uid, "namespace": "n", "name": "m",
        "labels": {"is": label}, "annotations": {"kubernetes.io/config.mirror": "same"}}})
    };
    put(&objects, Kind::Pods, &mirror("first", "1"));
    put(&objects, Kind::Pods, &mirror("second", "2"));
    bury(&objects, Kind::Pods, &mirror("first", "1"));
    assert_eq!(told(&objects, "same").unwrap().labels.unwrap(), ["is=2"]);
    seconds.fetch_add(200, Ordering::Relaxed);
    objects.end(Kind::Pods);
    assert_eq!(told(&objects, "same").unwrap().labels.unwrap(), ["is=2"]);
}
