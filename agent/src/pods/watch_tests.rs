//! The watch against a server that does what servers do on bad days.

use std::{fs, path::PathBuf, sync::Arc};

use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    health::Condition,
    http::testing::{Authority, TemporaryDirectory},
    pods::scripted::{Script, Step, Then, answer, event, list, ok, open, page},
};

const NODE_PODS: &str = include_str!("../../tests/data/api/pods-node1.json");
const EVENTS: &str = include_str!("../../tests/data/api/watch-pods-bookmark.jsonl");
const GONE_EVENT: &str = include_str!("../../tests/data/api/err-410-watch.jsonl");
const GONE: &str = include_str!("../../tests/data/api/err-410-continue.json");
const FORBIDDEN: &str = include_str!("../../tests/data/api/err-403.json");

/// What a test looks at.
struct Run {
    server: Script,
    store: Rc<RefCell<PodStore>>,
    health: Health,
}

impl Run {
    fn has(&self, uids: &[&str]) -> bool {
        let store = self.store.borrow();
        store.len() == uids.len() && uids.iter().all(|uid| store.is_live(uid))
    }

    fn asked(&self, count: usize) -> bool {
        self.server.paths().len() >= count
    }

    fn failures(&self, kind: &str) -> u64 {
        let view = self.health.view();
        view.failures.get(kind).copied().unwrap_or(0)
    }

    fn works(&self) -> bool {
        self.health.view().condition == Condition::Working
    }

    /// Waits for what must come.
    async fn until(&self, mut is_so: impl FnMut(&Self) -> bool) {
        for _ in 0..2_000 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "it never came: {:?}, asked {:?}",
            self.health.view(),
            self.server.paths()
        );
    }
}

fn settings(server: &Script) -> Settings {
    Settings {
        api_server: Some(format!("http://{}", server.address)),
        silence: Duration::from_secs(20),
        ..Settings::in_cluster("node-1")
    }
}

const QUICK: Pace = Pace {
    first: Duration::from_millis(4),
    longest: Duration::from_millis(20),
};

async fn with<F: Future<Output = ()>>(
    server: Script,
    settings: Settings,
    test: impl FnOnce(Rc<Run>) -> F,
) {
    let run = Rc::new(Run {
        server,
        store: Rc::default(),
        health: Health::new("pods"),
    });
    let watcher = Watcher::new(settings, Rc::clone(&run.store), run.health.clone(), QUICK);
    let local = LocalSet::new();
    local
        .run_until(async {
            let task = tokio::task::spawn_local(watcher.run());
            test(run).await;
            assert!(!task.is_finished(), "it never returns");
            task.abort();
        })
        .await;
}

async fn script<F: Future<Output = ()>>(
    steps: impl IntoIterator<Item = Step>,
    test: impl FnOnce(Rc<Run>) -> F,
) {
    let server = Script::start(None, steps).await;
    let settings = settings(&server);
    with(server, settings, test).await;
}

#[tokio::test]
async fn recorded_pods_are_listed_and_followed() {
    script([ok(NODE_PODS), open(EVENTS)], async |run: Rc<Run>| {
        run.until(|run| run.store.borrow().len() == 9 && run.asked(2))
            .await;
        run.until(|run| {
            let store = run.store.borrow();
            store.find("468b7e1d-43a4-4f68-8c81-3409f0fb3b92").is_some() && store.len() == 9
        })
        .await;
        assert!(run.works());
        let paths = run.server.paths();
        assert_eq!(
            paths[0],
            "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&limit=50"
        );
        assert!(paths[1].contains("&watch=true&allowWatchBookmarks=true&timeoutSeconds=240"));
        assert!(paths[1].ends_with("&resourceVersion=1086"), "{paths:?}");
        assert_eq!(run.health.view().failures.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn pages_are_read_to_the_end() {
    let steps = [
        page("5", &["a", "b"], "to+ken/="),
        page("5", &["b", "c"], ""),
        open(""),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.has(&["a", "b", "c"]) && run.asked(3))
            .await;
        assert!(run.server.paths()[1].ends_with("&limit=50&continue=to%2Bken%2F%3D"));
        assert_eq!(run.store.borrow_mut().take_oddities(), 1, "b twice");
    })
    .await;
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_where_it_was() {
    let bookmark =
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n";
    let events = event("ADDED", "b", "6") + "\n" + &event("DELETED", "a", "7") + bookmark;
    let steps = [
        list("5", &["a"]),
        ok(events),
        open(event("ADDED", "c", "10")),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.has(&["b", "c"])).await;
        assert!(run.store.borrow().find("a").is_some(), "for its last rows");
        assert!(run.server.paths()[2].ends_with("&resourceVersion=9"));
        assert_eq!(run.health.view().failures.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn forgotten_changes_lead_to_a_list_that_forgets_nobody_meanwhile() {
    let steps = [
        list("5", &["a", "b"]),
        open(GONE_EVENT),
        // Among the events, on opening, and amid the list.
        page("6", &["b"], "token"),
        answer(410, GONE, Then::End),
        list("7", &["b", "c"]),
        answer(410, GONE, Then::End),
        list("8", &["a", "c"]),
        open(""),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.asked(3)).await;
        run.until(|run| {
            let store = run.store.borrow();
            assert!(store.find("a").is_some() && store.find("b").is_some());
            run.failures("gone") == 3
        })
        .await;
        run.until(|run| run.has(&["a", "c"]) && run.asked(8)).await;
        run.until(Run::works).await;
        assert!(run.server.paths()[7].ends_with("resourceVersion=8"));
    })
    .await;
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
    script([busy, list("5", &["a"]), open("")], async |run: Rc<Run>| {
        let begin = Instant::now();
        run.until(|run| run.has(&["a"])).await;
        assert!(begin.elapsed() >= Duration::from_millis(990));
        assert_eq!(run.failures("throttled"), 1);
    })
    .await;
}

#[tokio::test]
async fn broken_and_failing_answers_lose_nothing() {
    let cut = event("ADDED", "b", "6") + "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Po";
    let steps = [
        answer(500, "{}", Then::End),
        answer(200, "{\"metadata\":{\"reso", Then::Cut),
        list("5", &["a"]),
        answer(200, cut.clone(), Then::Cut),
        answer(503, "", Then::End),
        answer(200, cut, Then::End),
        open(event("ADDED", "c", "7")),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.has(&["a", "b", "c"])).await;
        assert_eq!((run.failures("server"), run.failures("connect")), (2, 3));
        let paths = run.server.paths();
        assert_eq!(paths.len(), 7);
        assert!(paths[6].ends_with("resourceVersion=6"), "no list anew");
    })
    .await;
}

#[tokio::test]
async fn garbage_leads_to_a_new_list() {
    let unknown = "{\"type\":\"NEWS\",\"object\":{\"metadata\":{\"resourceVersion\":\"6\"}}}\n";
    let nameless = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}\n";
    let events = format!(
        "{unknown}{nameless}{}{{\"type\":7]\n",
        event("ADDED", "b", "8")
    );
    let steps = [
        ok("[]"),
        ok("{\"metadata\":{}}"),
        list("5", &["a"]),
        open(events),
        ok("\u{0}\u{1}"),
        list("9", &["c"]),
        open(""),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.asked(5)).await;
        run.until(|run| run.has(&["c"])).await;
        // Two lists, the event, the list after it, and one notice of what was odd.
        assert_eq!(run.failures("json"), 5);
    })
    .await;
}

#[tokio::test]
async fn errors_among_the_events_are_told_by_their_code() {
    let error = |code: u16| {
        format!("{{\"type\":\"ERROR\",\"object\":{{\"message\":\"m\",\"code\":{code}}}}}\n")
    };
    let steps = [
        list("5", &["a"]),
        open(error(500)),
        open(error(504)),
        list("6", &["a"]),
        open("{\"type\":\"ERROR\",\"object\":[]}\n"),
        list("7", &["a"]),
        open(""),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.asked(7) && run.works()).await;
        assert_eq!(run.failures("server"), 3, "one without a code too");
        assert!(run.server.paths()[2].ends_with("resourceVersion=5"));
        assert!(run.server.paths()[3].ends_with("limit=50"));
    })
    .await;
}

#[tokio::test]
async fn a_silent_watch_is_opened_anew() {
    let server = Script::start(None, [list("5", &["a"]), open(event("ADDED", "b", "6"))]).await;
    let settings = Settings {
        silence: Duration::from_millis(50),
        ..settings(&server)
    };
    with(server, settings, async |run: Rc<Run>| {
        run.until(|run| run.failures("timeout") >= 2).await;
        assert!(run.has(&["a", "b"]));
        assert!(run.server.paths()[2].ends_with("resourceVersion=6"));
    })
    .await;
}

#[tokio::test]
async fn events_without_an_end_are_refused() {
    let endless = "x".repeat(3 * 1_024 * 1_024);
    let steps = [
        list("5", &["a"]),
        open(endless),
        list("6", &["b"]),
        open(""),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.has(&["b"])).await;
        assert_eq!(run.failures("json"), 1);
        assert!(run.server.paths()[2].ends_with("limit=12"), "smaller pages");
    })
    .await;
}

#[tokio::test]
async fn lists_that_cannot_be_gone_on_from_are_refused() {
    let endless = "x".repeat(10_000);
    let steps = [
        list("", &["a"]),
        list(&endless, &["a"]),
        page("5", &["a"], &endless),
        list("6", &["b"]),
    ];
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.has(&["b"]) && run.asked(5)).await;
        assert_eq!(run.failures("json"), 3);
    })
    .await;
}

#[tokio::test]
async fn nobodys_pods_are_not_asked_for() {
    let server = Script::start(None, []).await;
    let settings = Settings {
        node_name: String::new(),
        ..settings(&server)
    };
    with(server, settings, async |run: Rc<Run>| {
        run.until(|run| run.failures("connect") >= 1).await;
        assert!(!run.asked(1));
    })
    .await;
}

#[tokio::test]
async fn a_missing_rule_is_named() {
    let steps = (0..3).map(|_| answer(403, FORBIDDEN, Then::End));
    script(steps, async |run: Rc<Run>| {
        run.until(|run| run.failures("forbidden") >= 1).await;
        let Condition::Failing(message) = run.health.view().condition else {
            panic!("it works");
        };
        for part in ["[pods]", "[list, watch]", "ClusterRole", "is forbidden"] {
            assert!(message.contains(part), "{message}");
        }
    })
    .await;
}

/// Token and CA bundle, and settings that use them.
struct Files {
    directory: TemporaryDirectory,
}

impl Files {
    fn new(token: &str, ca: &str) -> Self {
        let directory = TemporaryDirectory::new();
        fs::write(directory.path().join("token"), token).unwrap();
        fs::write(directory.path().join("ca.crt"), ca).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn settings(&self, server: &Script) -> Settings {
        Settings {
            api_server: Some(format!("https://{}", server.address)),
            token_file: Some(self.path("token")),
            ca_file: Some(self.path("ca.crt")),
            ..settings(server)
        }
    }
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    TlsAcceptor::from(Arc::new(authority.certify("127.0.0.1")))
}

#[tokio::test]
async fn a_replaced_token_is_used_at_once() {
    let authority = Authority::new();
    let files = Files::new("old\n", &authority.pem());
    let steps = [
        list("5", &["a"]),
        ok(""),
        answer(401, "", Then::End),
        answer(401, "", Then::End),
    ];
    let server = Script::start(Some(acceptor(&authority)), steps).await;
    let settings = files.settings(&server);
    with(server, settings, async |run: Rc<Run>| {
        run.until(|run| run.failures("unauthorized") >= 1).await;
        fs::write(files.path("token"), "new\n").unwrap();
        run.until(|run| run.works() && run.server.tokens().last().unwrap() == "Bearer new")
            .await;
        let tokens = run.server.tokens();
        assert_eq!(tokens[0], "Bearer old");
        let view = format!("{:?}", run.health.view());
        assert!(!view.contains("old") && !view.contains("new"), "{view}");
        // What can't be read leaves the old content in use.
        fs::remove_file(files.path("token")).unwrap();
        assert!(run.has(&["a"]));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted_until_the_bundle_is_replaced() {
    let authority = Authority::new();
    let files = Files::new("token", &Authority::named("other").pem());
    let server = Script::start(Some(acceptor(&authority)), [list("5", &["a"])]).await;
    let settings = files.settings(&server);
    with(server, settings, async |run: Rc<Run>| {
        run.until(|run| run.failures("tls") >= 1).await;
        assert!(!run.asked(1), "nothing is told to a stranger");
        fs::write(files.path("ca.crt"), authority.pem()).unwrap();
        run.until(|run| run.has(&["a"])).await;
    })
    .await;
}

#[tokio::test]
async fn files_of_no_use_are_told_by_name() {
    let server = Script::start(None, []).await;
    let files = Files::new("two words", "no PEM");
    let settings = files.settings(&server);
    with(server, settings, async |run: Rc<Run>| {
        run.until(|run| run.failures("unauthorized") >= 1).await;
        fs::write(files.path("token"), "word").unwrap();
        run.until(|run| run.failures("tls") >= 1).await;
        fs::remove_file(files.path("ca.crt")).unwrap();
        run.until(|run| {
            format!("{:?}", run.health.view()).contains("is the service account mounted")
        })
        .await;
        assert!(!run.asked(1));
    })
    .await;
}

#[tokio::test]
async fn without_a_server_it_says_so() {
    let server = Script::start(None, []).await;
    let settings = Settings {
        api_server: Some("http://127.0.0.1:1".into()),
        ..settings(&server)
    };
    with(server, settings, async |run: Rc<Run>| {
        run.until(|run| run.failures("connect") >= 2).await;
    })
    .await;
}
