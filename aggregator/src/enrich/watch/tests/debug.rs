//! What `DEBUG_K8S_API` shows.

use std::sync::Mutex;

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::{
    scene::{event, pods, streamed},
    scripted::{Then, answer, open},
};
use crate::{cluster::exchange, enrich::Kind};

/// All lines of this process's tests.
struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("aggregator")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.target(), record.args());
            self.0.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn every_exchange_is_shown_and_no_secret() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Debug);
    assert!(log::log_enabled!(target: exchange::TARGET, Level::Debug));
    let secret = r#""spec":{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]},"metadata":{"name""#;
    let event = event("MODIFIED", "shown", "6").replace("\"metadata\":{\"name\"", secret);
    let steps = [
        answer(500, "{\"message\":\"no: Bearer hunter2\"}", Then::End),
        open(streamed("5", &["a"]) + &event),
    ];
    let run = pods(steps).await;
    run.until(|run| run.has(Kind::Pods, &["a", "shown"])).await;
    let lines = LINES.0.lock().unwrap().clone();
    let all = lines.join("\n");
    for part in [
        "K8S API request: GET /api/v1/pods?fieldSelector=",
        "authorization: ***",
        "-> 500 Internal Server Error in ",
        "K8S API refusal: /api/v1/pods",
        "K8S API event: MODIFIED pods {",
        "\"name\":\"shown\"",
        "\"value\":\"***\"",
        "K8S API cache: put pods",
        "K8S API cache: end pods",
        "watching pods: the API server answered 500",
    ] {
        assert!(all.contains(part), "{part} is missing in\n{all}");
    }
    for secret in ["pod-token", "hunter2"] {
        let found = lines.iter().find(|line| line.contains(secret));
        assert_eq!(found, None);
    }
    let exchanges = lines
        .iter()
        .filter(|line| line.starts_with(exchange::TARGET));
    assert!(exchanges.clone().count() > 5);
    for line in exchanges {
        assert!(line.contains("K8S API"), "{line}");
    }
}
