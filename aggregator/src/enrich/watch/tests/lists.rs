//! Lists, streamed and in pages, and the changes after them.

use std::time::Duration;

use bytes::Bytes;

use super::{
    scene::{Run, bookmark, event, page, pods, streamed},
    scripted::{Script, Then, answer, ok, open},
};
use crate::{
    enrich::{
        Kind, Objects, Settings,
        watch::{PATIENCE, Watches, failure::Reason},
    },
    status::Page,
};

const STREAMED: &str = include_str!("../testdata/watch-pods-watchlist.jsonl");
const WATCHED: &str = include_str!("../testdata/watch-pods-bookmark.jsonl");
const FIRST_PAGE: &str = include_str!("../testdata/pods-limit3.json");
const LAST_PAGE: &str = include_str!("../testdata/pods-continue.json");
const NO_STREAMING: &str = r#"{"kind":"Status","status":"Failure","message":"ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled","reason":"Invalid","code":422}"#;

#[tokio::test]
async fn a_recorded_list_is_streamed_and_a_recorded_watch_follows() {
    // Byte by byte: lines are put together again whatever they were cut into.
    let mut step = ok("");
    step.pieces = STREAMED
        .as_bytes()
        .chunks(1)
        .map(Bytes::copy_from_slice)
        .collect();
    let mut watch = open("");
    watch.pieces = WATCHED
        .as_bytes()
        .chunks(1)
        .map(Bytes::copy_from_slice)
        .collect();
    let run = pods([step, watch]).await;
    run.until(|run| run.watches.is_listed(Kind::Pods)).await;
    assert_eq!(run.count(Kind::Pods), 10);
    assert!(run.path(Kind::Pods, 0).starts_with(
        "/api/v1/pods?fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&watch=true"
    ));
    assert!(
        run.path(Kind::Pods, 0)
            .contains("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan")
    );
    run.until(|run| run.asked(Kind::Pods) == 2).await;
    assert!(run.path(Kind::Pods, 1).ends_with("&resourceVersion=1086"));
    let lines = WATCHED.lines().count() as u64;
    let told = |run: &Run| {
        run.watches
            .state(Kind::Pods)
            .told
            .each()
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    run.until(|run| told(run) == 11 + lines).await;
    assert_eq!(run.all_failures(Kind::Pods), 0);
    // Each object came as the server wrote it.
    let puts = run.kept.puts.lock().unwrap();
    assert!(
        puts.iter()
            .all(|put| STREAMED.contains(put) || WATCHED.contains(put))
    );
}

#[tokio::test]
async fn each_kind_is_asked_for_in_its_own_way() {
    let run = Run::start(Script::start().await);
    run.until(|run| Kind::ALL.iter().all(|kind| run.asked(*kind) == 1))
        .await;
    for (kind, path, is_metadata) in [
        (Kind::Nodes, "/api/v1/nodes?", false),
        (Kind::Claims, "/api/v1/persistentvolumeclaims?", false),
        (Kind::Volumes, "/api/v1/persistentvolumes?", false),
        (Kind::ReplicaSets, "/apis/apps/v1/replicasets?", true),
        (Kind::Jobs, "/apis/batch/v1/jobs?", true),
    ] {
        let asked = &run.server.asked(kind)[0];
        assert!(asked.path.starts_with(path), "{asked:?}");
        let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        assert_eq!(asked.accept.starts_with(metadata), is_metadata, "{asked:?}");
        assert_eq!(asked.token, "Bearer pod-token");
    }
}

#[tokio::test]
async fn what_refuses_to_stream_is_listed_in_pages() {
    let steps = [
        answer(422, NO_STREAMING, Then::End),
        ok(FIRST_PAGE),
        ok(LAST_PAGE.replace("\"continue\"", "\"none\"")),
        open(event("DELETED", "p1", "1200")),
    ];
    let run = pods(steps).await;
    run.until(|run| run.asked(Kind::Pods) == 4).await;
    let token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6";
    assert!(run.path(Kind::Pods, 1).ends_with("&limit=250"));
    assert!(
        run.path(Kind::Pods, 2)
            .contains(&format!("&limit=250&continue={token}"))
    );
    assert!(
        run.path(Kind::Pods, 3).contains("&watch=true")
            && !run.path(Kind::Pods, 3).contains("sendInitial")
    );
    run.until(|run| run.count(Kind::Pods) == 5).await;
    let asked = run.server.asked(Kind::Pods);
    assert!(
        asked
            .windows(2)
            .all(|two| two[0].connection == two[1].connection)
    );
    assert_eq!(run.failures(Kind::Pods, Reason::NoStreaming), 1);
    assert_eq!(run.all_failures(Kind::Pods), 1);
}

#[tokio::test]
async fn a_server_that_ignores_the_wish_is_listed_in_pages() {
    // An old one: a plain watch, and in time a plain bookmark.
    let plain = event("ADDED", "a", "1") + &bookmark("4", false);
    let run = pods([open(plain), page("5", &["b"], ""), open("")]).await;
    run.until(|run| run.has(Kind::Pods, &["b"])).await;
    run.until(|run| run.asked(Kind::Pods) == 3).await;
    assert_eq!(run.failures(Kind::Pods, Reason::NoStreaming), 1);
    assert!(run.path(Kind::Pods, 2).ends_with("&resourceVersion=5"));
}

#[tokio::test]
async fn a_streaming_list_that_falls_silent_is_listed_in_pages_this_time() {
    let server = Script::start().await;
    let steps = [
        open(event("ADDED", "a", "1")),
        page("5", &["b"], ""),
        ok(event("ERROR", "x", "1").replace("\"metadata\"", "\"code\":410,\"metadata\"")),
        open(streamed("6", &["c"])),
    ];
    server.say(Kind::Pods, steps);
    let run = Run::start_with(server, |times| {
        times.listing = Duration::from_millis(100);
    });
    run.until(|run| run.has(Kind::Pods, &["c"])).await;
    assert_eq!(run.failures(Kind::Pods, Reason::Silent), 1);
    assert_eq!(run.failures(Kind::Pods, Reason::Gone), 1);
    assert!(run.path(Kind::Pods, 3).contains("&sendInitialEvents=true"));
    assert_eq!(run.watches.state(Kind::Pods).lists(), 2);
}

#[tokio::test]
async fn changes_are_followed_over_the_end_of_a_watch() {
    let events = event("ADDED", "b", "6")
        + &event("MODIFIED", "a", "7")
        + "\n"
        + &event("DELETED", "a", "8")
        + &bookmark("9", false);
    let steps = [
        ok(streamed("5", &["a"]) + &events),
        open(event("ADDED", "c", "10")),
    ];
    let run = pods(steps).await;
    run.until(|run| run.has(Kind::Pods, &["b", "c"])).await;
    assert!(run.path(Kind::Pods, 1).ends_with("&resourceVersion=9"));
    let asked = run.server.asked(Kind::Pods);
    assert_ne!(asked[0].connection, asked[1].connection, "balanced anew");
    assert_eq!(run.all_failures(Kind::Pods), 0);
}

#[tokio::test]
async fn a_list_forgets_only_when_it_is_whole() {
    let steps = [
        ok(streamed("5", &["a", "b"])),
        answer(410, "{}", Then::End),
        // Cut in the middle of a list, then pages of which the second is gone.
        answer(200, event("ADDED", "b", "1"), Then::Cut),
        page("7", &["b"], "token"),
        answer(410, "{}", Then::End),
        page("8", &["b", "c"], ""),
        open(""),
    ];
    let run = pods(steps).await;
    run.until(|run| {
        let is_whole = run.has(Kind::Pods, &["b", "c"]);
        assert!(run.asked(Kind::Pods) >= 6 || !is_whole);
        assert!(
            run.asked(Kind::Pods) < 2
                || is_whole
                || run.has(Kind::Pods, &["a", "b"])
                || run.asked(Kind::Pods) >= 6
        );
        is_whole
    })
    .await;
    assert_eq!(run.failures(Kind::Pods, Reason::Gone), 2);
    assert!(
        run.path(Kind::Pods, 5).ends_with("&limit=250"),
        "from the start"
    );
    assert_eq!(run.watches.state(Kind::Pods).lists(), 2);
}

/// A cluster that does not answer slows commits for a while only.
#[tokio::test(start_paused = true)]
async fn first_lists_are_not_waited_for_without_end() {
    let cluster = crate::config::Cluster {
        host: "127.0.0.1".to_owned(),
        port: 1,
        token: "/none".into(),
        ca: "/none".into(),
    };
    let watches = Watches::new(cluster, Objects::new(Settings::default()));
    tokio::time::advance(PATIENCE - Duration::from_millis(1)).await;
    assert!(!watches.is_complete());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(watches.is_complete() && !watches.is_listed(Kind::Pods));
}

#[tokio::test]
async fn how_it_is_is_told() {
    let server = Script::start().await;
    for kind in Kind::ALL {
        server.say(kind, [open(streamed("5", &["a"]))]);
    }
    let run = Run::start(server);
    run.until(|run| run.watches.is_complete()).await;
    let mut page = Page::default();
    run.watches.report(&mut page);
    let text = page.into_text();
    for line in [
        "podledger_aggregator_watch_listed{kind=\"pvcs\"} 1\n",
        "podledger_aggregator_watch_lists_total{kind=\"jobs\"} 1\n",
        "podledger_aggregator_watch_events_total{kind=\"pods\",event=\"added\"} 1\n",
        "podledger_aggregator_watch_failures_total{kind=\"nodes\",reason=\"gone\"} 0\n",
        "podledger_aggregator_watch_last_event_seconds{kind=\"replicasets\"} ",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let off = Watches::off();
    let mut page = Page::default();
    off.report(&mut page);
    assert!(off.is_complete() && !off.is_listed(Kind::Pods) && page.into_text().is_empty());
    off.run().await;
}
