//! What the store of pods guarantees.

use super::*;
use crate::pods::{ContainerEnd, facts_from_json};

fn pod(uid: &str, restart_count: u32) -> PodFacts {
    PodFacts {
        uid: uid.into(),
        namespace: "demo".into(),
        name: format!("pod-{uid}"),
        containers: vec![ContainerFacts {
            name: "app".into(),
            restart_count,
            last_end: (restart_count > 0).then(|| ContainerEnd {
                reason: Some("OOMKilled".into()),
                exit_code: Some(137),
                finished_at: None,
            }),
            ..ContainerFacts::default()
        }],
        ..PodFacts::default()
    }
}

fn static_pod(uid: &str, hash: &str) -> PodFacts {
    PodFacts {
        config_hash: Some(hash.into()),
        ..pod(uid, 0)
    }
}

fn list(store: &mut PodStore, pods: impl IntoIterator<Item = PodFacts>) {
    store.begin_list();
    for pod in pods {
        store.apply(pod);
    }
    store.end_list();
}

#[test]
fn a_pod_is_found_until_two_windows_after_its_removal() {
    let mut store = PodStore::default();
    list(&mut store, [pod("a", 0)]);
    assert!(store.is_live("a"));
    store.remove("a");
    store.remove("a");
    assert!(!store.is_live("a"));
    assert_eq!(store.len(), 0);
    for _ in 0..2 {
        store.end_window();
        assert!(store.find("a").is_some());
    }
    store.end_window();
    assert_eq!(store.find("a"), None);
}

#[test]
fn pods_that_a_list_does_not_name_are_gone() {
    let mut store = PodStore::default();
    list(&mut store, [pod("a", 0), pod("b", 0)]);
    // Broken off: nobody is gone.
    store.begin_list();
    store.apply(pod("b", 0));
    store.begin_list();
    assert!(store.is_live("a"), "while it is being listed anew too");
    store.apply(pod("c", 0));
    store.apply(pod("b", 0));
    store.end_list();
    store.end_list();
    assert!(!store.is_live("a") && store.is_live("b") && store.is_live("c"));
    assert!(store.find("a").is_some());
    assert_eq!(store.take_oddities(), 0);
}

#[test]
fn static_pods_are_found_by_their_hash() {
    let mut store = PodStore::default();
    list(&mut store, [static_pod("a", "hash")]);
    assert_eq!(store.find("hash").unwrap().uid, "a");
    // The kubelet makes its mirror anew.
    store.apply(static_pod("b", "hash"));
    store.remove("a");
    assert!(store.is_live("hash"));
    assert_eq!(store.find("hash").unwrap().uid, "b");
    store.apply(static_pod("b", "hash-2"));
    assert!(!store.is_live("hash"));
    store.remove("b");
    assert_eq!(store.find("hash-2").unwrap().uid, "b");
}

#[test]
fn ended_pods_are_not_live() {
    let mut store = PodStore::default();
    let ended = PodFacts {
        is_terminal: true,
        ..pod("a", 0)
    };
    store.apply(ended);
    assert!(!store.is_live("a"));
    assert_eq!((store.len(), store.is_empty()), (1, false));
}

#[test]
fn of_two_with_one_uid_the_first_stays() {
    let mut store = PodStore::default();
    let second = PodFacts {
        name: "second".into(),
        ..pod("a", 0)
    };
    list(&mut store, [pod("a", 0), second.clone()]);
    assert_eq!(store.find("a").unwrap().name, "pod-a");
    assert_eq!(store.take_oddities(), 1);
    store.apply(second);
    assert_eq!(store.find("a").unwrap().name, "second", "a change is one");
}

#[test]
fn restarts_are_told_from_what_was_known() {
    let mut store = PodStore::default();
    store.begin_list();
    store.apply(pod("a", 3));
    assert!(store.take_restarts().is_empty(), "before the agent's time");
    store.end_list();
    store.apply(pod("a", 3));
    store.apply(pod("a", 4));
    store.apply(pod("a", 5));
    store.apply(pod("b", 1));
    let restarts = store.take_restarts();
    let counts: Vec<_> = restarts.iter().map(|r| (&*r.uid, r.count)).collect();
    assert_eq!(counts, [("a", 2), ("b", 1)]);
    assert_eq!(
        restarts[1].message(),
        "container app started again (exit code 137, OOMKilled)"
    );
    // Counts that fall are a new beginning.
    store.apply(pod("a", 0));
    store.apply(pod("a", 1));
    assert_eq!(store.take_restarts()[0].count, 1);
    // One that a list missed goes on where it was.
    list(&mut store, [pod("b", 1)]);
    list(&mut store, [pod("a", 2), pod("b", 1)]);
    let restarts = store.take_restarts();
    assert_eq!((restarts.len(), restarts[0].count), (1, 1));
}

#[test]
fn messages_say_what_is_known() {
    let restart = Restart {
        container: "c".into(),
        count: 3,
        exit_code: Some(2),
        ..Restart::default()
    };
    assert_eq!(
        restart.message(),
        "container c started again 3 times (exit code 2)"
    );
    let restart = Restart {
        container: "c".into(),
        count: 1,
        ..Restart::default()
    };
    assert_eq!(restart.message(), "container c started again");
}

#[test]
fn there_is_a_bound() {
    let mut store = PodStore::default();
    store.begin_list();
    for number in 0..2_100 {
        store.apply(pod(&number.to_string(), 0));
    }
    store.end_list();
    assert_eq!(store.len(), 2_000);
    assert_eq!(store.take_oddities(), 100);
    store.apply(pod("0", 1));
    assert_eq!(store.take_restarts().len(), 1, "known ones go on");
    list(&mut store, []);
    list(&mut store, [pod("new", 0)]);
    store.remove("new");
    let tombstones = (0..2_100).filter(|number: &u32| store.find(&number.to_string()).is_some());
    assert_eq!(tombstones.count(), 1_999);
    assert!(store.find("new").is_some());
}

#[test]
fn a_recorded_watch_tells_who_started_again() {
    #[derive(serde::Deserialize)]
    struct Event {
        r#type: String,
        object: serde_json::Value,
    }
    let text = include_str!("../../tests/data/api/pods-node1.json");
    let listed: serde_json::Value = serde_json::from_str(text).unwrap();
    let items = listed["items"].as_array().unwrap();
    let facts = |object: &serde_json::Value| facts_from_json(object.to_string().as_bytes());
    let mut store = PodStore::default();
    list(&mut store, items.iter().filter_map(facts));
    assert_eq!(store.len(), 9);
    for line in include_str!("../../tests/data/api/watch-pods-bookmark.jsonl").lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        match (&*event.r#type, facts(&event.object)) {
            ("DELETED", Some(pod)) => store.remove(&pod.uid),
            (_, Some(pod)) => store.apply(pod),
            (kind, None) => assert_eq!(kind, "BOOKMARK"),
        }
    }
    assert_eq!(store.len(), 9);
    assert!(store.find("468b7e1d-43a4-4f68-8c81-3409f0fb3b92").is_some());
    let restarts = store.take_restarts();
    let told: Vec<_> = restarts
        .iter()
        .map(|r| (&*r.name, &*r.container, r.count, r.exit_code))
        .collect();
    assert_eq!(
        told,
        [("crash", "c", 1, Some(3)), ("oom", "hog", 1, Some(137))]
    );
}
