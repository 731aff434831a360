//! Everything that can go wrong with a watch.

use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    scene::{Run, bookmark, event, page, pods, streamed},
    scripted::{Script, Step, Then, answer, ok, open},
};
use crate::enrich::{
    Kind,
    watch::{failure::Reason, message},
};

const GONE: &str = include_str!("../testdata/err-410-watch.jsonl");
const WATCHED: &str = include_str!("../testdata/watch-pods-bookmark.jsonl");
const FORBIDDEN: &str = include_str!("../testdata/err-403.json");
const PODS: Kind = Kind::Pods;

fn error(code: u16) -> String {
    format!("{{\"type\":\"ERROR\",\"object\":{{\"message\":\"m\",\"code\":{code}}}}}\n")
}

#[tokio::test]
async fn forgotten_changes_are_listed_anew() {
    let steps = [
        open(streamed("5", &["a"]) + GONE),
        open(streamed("7", &["b"])),
    ];
    let run = pods(steps).await;
    run.until(|run| run.has(PODS, &["b"])).await;
    assert_eq!(run.failures(PODS, Reason::Gone), 1);
    assert!(run.path(PODS, 1).contains("&sendInitialEvents=true"));
}

#[tokio::test]
async fn a_forbidden_kind_holds_up_no_other() {
    let server = Script::start().await;
    for kind in Kind::ALL {
        let step = match kind {
            Kind::Claims => answer(403, FORBIDDEN, Then::End),
            // Slow, or rather dead.
            Kind::Volumes => answer(200, "", Then::Hang),
            _ => open(streamed("5", &["a"])),
        };
        server.say(kind, std::iter::repeat_n(step, 50));
    }
    let run = Run::start(server);
    run.until(|run| {
        let listed = Kind::ALL
            .iter()
            .filter(|kind| run.watches.is_listed(**kind));
        listed.count() == 4 && run.failures(Kind::Claims, Reason::Forbidden) > 1
    })
    .await;
    assert!(run.has(PODS, &["a"]) && run.has(Kind::Jobs, &["a"]));
    assert!(
        run.watches.state(Kind::Claims).is_settled(),
        "no use in waiting"
    );
    assert!(!run.watches.state(Kind::Volumes).is_settled());
    assert!(!run.watches.is_complete());
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let busy = Step {
        retry_after: Some(1),
        ..answer(
            429,
            "Too many requests, please try again later.\n",
            Then::End,
        )
    };
    let begin = Instant::now();
    let run = pods([busy, open(streamed("5", &["a"]))]).await;
    run.until(|run| run.has(PODS, &["a"])).await;
    assert!(begin.elapsed() >= Duration::from_millis(990));
    assert_eq!(run.failures(PODS, Reason::Throttled), 1);
}

#[tokio::test]
async fn failing_and_broken_answers_lose_nothing() {
    let cut = event("ADDED", "b", "6") + "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Po";
    let steps = [
        answer(500, "{}", Then::End),
        answer(401, "", Then::End),
        ok(streamed("5", &["a"])),
        answer(200, cut.clone(), Then::Cut),
        answer(503, "", Then::End),
        ok(cut),
        ok(error(500)),
        open(event("ADDED", "c", "7")),
    ];
    let run = pods(steps).await;
    run.until(|run| run.has(PODS, &["a", "b", "c"])).await;
    assert_eq!(run.failures(PODS, Reason::Server), 3);
    assert_eq!(run.failures(PODS, Reason::Unauthorized), 1);
    assert_eq!(run.failures(PODS, Reason::Broken), 2);
    assert!(
        run.path(PODS, 7).ends_with("&resourceVersion=6"),
        "no list anew"
    );
}

#[tokio::test]
async fn a_silent_watch_is_opened_anew_where_it_was() {
    let server = Script::start().await;
    let steps = [open(streamed("5", &["a"]) + &event("ADDED", "b", "6"))];
    server.say(PODS, steps);
    let run = Run::start_with(server, |times| times.silence = Duration::from_millis(50));
    run.until(|run| run.failures(PODS, Reason::Silent) >= 2 && run.asked(PODS) > 2)
        .await;
    assert!(run.has(PODS, &["a", "b"]));
    assert!(run.path(PODS, 2).ends_with("&resourceVersion=6"));
}

#[tokio::test]
async fn a_future_version_and_garbage_lead_to_a_new_list() {
    let steps = [
        ok(streamed("5", &["a"])),
        answer(
            504,
            "{\"message\":\"Too large resource version\"}",
            Then::End,
        ),
        ok(streamed("6", &["b"]) + "{\"type\":7]\n"),
        open("\u{0}\u{1}\n"),
        ok("[]\n"),
        open(streamed("7", &["c"]) + &error(504)),
        open(streamed("8", &["d"])),
    ];
    let run = pods(steps).await;
    run.until(|run| run.has(PODS, &["d"])).await;
    assert_eq!(run.failures(PODS, Reason::Malformed), 3);
    assert_eq!(run.failures(PODS, Reason::Server), 2);
    assert_eq!(run.watches.state(PODS).lists(), 4);
}

#[tokio::test]
async fn odd_objects_cost_no_other() {
    let nameless = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}\n";
    let news = "{\"type\":\"NEWS\",\"object\":{\"metadata\":{\"resourceVersion\":\"8\"}}}\n";
    let unversioned = "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n";
    let text =
        streamed("5", &["a"]) + nameless + news + unversioned + "\r\n" + &event("ADDED", "b", "9");
    let run = pods([ok(text)]).await;
    run.until(|run| run.has(PODS, &["a", "b"]) && run.asked(PODS) == 2)
        .await;
    assert_eq!(
        (run.failures(PODS, Reason::Odd), run.all_failures(PODS)),
        (3, 3)
    );
    assert!(run.path(PODS, 1).ends_with("&resourceVersion=9"));
}

#[tokio::test]
async fn an_object_beyond_the_bound_is_left_out() {
    let large = event("ADDED", &"x".repeat(crate::cluster::MOST_LINE_BYTES), "6");
    let almost = event("ADDED", &"y".repeat(3 << 20), "7");
    let text = event("ADDED", "a", "1")
        + &large
        + &almost
        + &bookmark("5", true)
        + &large
        + &event("ADDED", "b", "8");
    let run = pods([open(text)]).await;
    run.until(|run| run.count(PODS) == 3).await;
    assert_eq!(
        (run.failures(PODS, Reason::TooLarge), run.all_failures(PODS)),
        (2, 2)
    );
    // A line without an end takes no memory; that it ended early is told.
    let run = pods([ok("z".repeat(20 << 20)), page("3", &["c"], "")]).await;
    run.until(|run| run.has(PODS, &["c"])).await;
    assert_eq!(run.failures(PODS, Reason::Broken), 1);
}

#[tokio::test]
async fn pages_that_are_too_large_become_smaller() {
    let large = page("5", &[&"x".repeat(9 << 20)], "");
    let steps = [
        answer(400, "{}", Then::End),
        large,
        page("5", &["a"], "t"),
        page("5", &["b"], ""),
    ];
    let run = pods(steps).await;
    run.until(|run| run.has(PODS, &["a", "b"])).await;
    assert!(run.path(PODS, 2).ends_with("&limit=62"));
    assert_eq!(run.failures(PODS, Reason::TooLarge), 1);
}

#[tokio::test]
async fn lists_that_cannot_be_gone_on_from_are_refused() {
    let endless = "x".repeat(20_000);
    let steps = [
        answer(400, "{}", Then::End),
        page("", &["a"], ""),
        page(&endless, &["a"], ""),
        page("5", &["a"], &endless),
        ok("{\"metadata\":{}}"),
        page("6", &["b"], ""),
    ];
    let run = pods(steps).await;
    run.until(|run| run.has(PODS, &["b"])).await;
    assert_eq!(run.failures(PODS, Reason::Malformed), 4);
}

#[tokio::test]
async fn a_replaced_token_is_used_and_strangers_see_none() {
    let server = Script::start().await;
    server.say(
        PODS,
        [answer(401, "", Then::End), open(streamed("5", &["a"]))],
    );
    let real = std::fs::read(server.place.0.join("tls.crt")).unwrap();
    server.place.certificate();
    let run = Run::start(server);
    run.until(|run| run.failures(PODS, Reason::Connect) >= 2)
        .await;
    assert_eq!(run.asked(PODS), 0, "nobody else gets a token");
    run.server.place.write("token", "new\n");
    run.server.place.write("tls.crt", real);
    run.until(|run| run.has(PODS, &["a"])).await;
    assert_eq!(run.server.asked(PODS)[1].token, "Bearer new");
    assert_eq!(run.failures(PODS, Reason::Unauthorized), 1);
}

/// Recorded lines in which anything may be another byte, missing or there twice.
#[test]
fn no_bytes_end_it() {
    let mut random = StdRng::seed_from_u64(7);
    let recorded: Vec<&str> = WATCHED.lines().chain(GONE.lines()).collect();
    for _ in 0..2_000 {
        let line = recorded[random.random_range(0..recorded.len())];
        let mut bytes = line.as_bytes().to_vec();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at + 1),
                _ => bytes.extend_from_within(at..),
            }
        }
        drop(message::event(&bytes).map(|event| message::progress(event.object.get())));
        drop(message::page(&bytes));
        let text = String::from_utf8_lossy(&bytes);
        drop((
            message::progress(&text),
            message::error(&text, ""),
            message::refusal(&text),
        ));
    }
}
