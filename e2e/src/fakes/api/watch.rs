//! Watches: what is there first if asked for, then each change, bookmarks in between.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::lists::{Selector, key};
use super::objects::Form;
use super::query::Query;
use super::{ApiFault, Cluster, Disturbance, status};
use crate::fakes::body::{Content, Piece};
use crate::fakes::locked;
use crate::fakes::scene::{Event, Presence, Scene, State};

/// How long a real server keeps a watch open that does not say how long, at least.
const LONGEST: Duration = Duration::from_secs(30 * 60);

impl Cluster {
    pub(super) fn watch(
        &self,
        form: Form,
        namespace: Option<&str>,
        query: &Query,
        fault: Option<ApiFault>,
    ) -> Response<Content> {
        let selector = match Selector::of(form.resource, namespace, query) {
            Ok(selector) => selector,
            Err(message) => return status::bad_request(&message),
        };
        let initial = query.is_true("sendInitialEvents") && fault != Some(ApiFault::PlainWatch);
        if initial && fault == Some(ApiFault::NoStreaming) {
            return status::no_streaming();
        }
        if initial && query.get("resourceVersionMatch") != Some("NotOlderThan") {
            return status::bad_request(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            );
        }
        let (sender, receiver) = unbounded_channel();
        let from = query.number("resourceVersion").unwrap_or(0);
        let mut watch = Watch {
            scene: self.scene.clone(),
            form,
            selector,
            sender,
            version: from,
        };
        let head = status::answer(
            StatusCode::OK,
            "application/json",
            Content::events(receiver),
        );
        match fault {
            Some(ApiFault::Silent) => return silent(),
            Some(ApiFault::ExpiredWatch) => {
                watch.expired();
                return head;
            }
            Some(ApiFault::Cut) => {
                watch.cut();
                return head;
            }
            Some(ApiFault::Garbage) => watch.line("{\"type\":\"MODIFIED\",\"object\":7]\n"),
            _ => {}
        }
        let bookmarks = query.is_true("allowWatchBookmarks");
        let times = Intervals {
            bookmark: bookmarks.then(|| locked(&self.state).bookmark_every),
            end: query
                .number("timeoutSeconds")
                .map_or(LONGEST, Duration::from_secs),
        };
        let disturbed = self.disturb.subscribe();
        if initial || from == 0 {
            watch.send_initial(initial);
        }
        tokio::spawn(watch.run(times, disturbed));
        head
    }
}

fn silent() -> Response<Content> {
    status::answer(
        StatusCode::OK,
        "application/json",
        Content::stalled(Bytes::new()),
    )
}

struct Intervals {
    /// None for a client that did not ask for bookmarks.
    bookmark: Option<Duration>,
    end: Duration,
}

struct Watch {
    scene: Scene,
    form: Form,
    selector: Selector,
    sender: UnboundedSender<Piece>,
    /// All changes up to this one were told.
    version: u64,
}

impl Watch {
    async fn run(mut self, times: Intervals, mut disturbed: Receiver<Disturbance>) {
        let mut changes = self.scene.changes();
        // An hour is never reached by a watch.
        let every = times.bookmark.unwrap_or(Duration::from_secs(3600));
        let mut bookmark = interval_at(Instant::now() + every, every);
        bookmark.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut end = std::pin::pin!(sleep(times.end));
        loop {
            changes.mark_unchanged();
            if !self.send_changes() {
                return self.expired();
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                _ = bookmark.tick() => if times.bookmark.is_some() {
                    self.bookmark(false);
                },
                () = &mut end => return,
                () = self.sender.closed() => return,
                Ok(disturbance) = disturbed.recv() => {
                    // What changed before is told before.
                    if self.send_changes() {
                        return self.disturbed(disturbance).await;
                    }
                }
            }
        }
    }

    async fn disturbed(&self, disturbance: Disturbance) {
        match disturbance {
            Disturbance::Expired => self.expired(),
            Disturbance::InternalError => self.internal_error(),
            Disturbance::CutMidLine => self.cut(),
            Disturbance::End => {}
            Disturbance::Silence => self.sender.closed().await,
        }
    }

    fn line(&self, line: impl Into<Bytes>) {
        // A client that went away needs no more lines.
        drop(self.sender.send(Piece::Bytes(line.into())));
    }

    fn send_initial(&mut self, with_bookmark: bool) {
        let (version, lines) = self
            .scene
            .read(|state| (state.version, self.present(state)));
        for line in lines {
            self.line(line);
        }
        self.version = version;
        if with_bookmark {
            self.bookmark(true);
        }
    }

    fn present(&self, state: &State) -> Vec<String> {
        let mut objects = state.objects(self.form.resource);
        objects.retain(|object| self.selector.takes(object));
        objects.sort_by_key(|object| key(object));
        let lines = objects
            .into_iter()
            .map(|object| self.event("ADDED", &object.to_string()));
        lines.collect()
    }

    /// Whether the changes since are still known.
    fn send_changes(&mut self) -> bool {
        let read = |state: &State| {
            let events = state.events.iter();
            let events: Vec<Event> = events
                .filter(|event| event.resource == self.form.resource)
                .filter(|event| event.version > self.version)
                .cloned()
                .collect();
            (state.oldest_version, state.version, events)
        };
        let (oldest, newest, events) = self.scene.read(read);
        if self.version < oldest {
            return false;
        }
        for event in &events {
            self.send(event);
        }
        self.version = self.version.max(newest);
        true
    }

    fn send(&self, change: &Event) {
        let is_taken = |presence: &Presence| match presence {
            Presence::Absent => false,
            Presence::There { node, phase } => self
                .selector
                .takes_fields(node.as_deref(), phase.as_deref()),
        };
        let text = String::from_utf8_lossy(&change.object);
        // Only a watch of one namespace needs to look into the object.
        if self.selector.namespace.is_some() {
            let object: Value = serde_json::from_str(&text).unwrap_or_default();
            if self.selector.namespace.as_deref() != object["metadata"]["namespace"].as_str() {
                return;
            }
        }
        // A pod that comes to the node appears to whoever watches that node.
        let kind = match (is_taken(&change.before), is_taken(&change.after)) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return,
        };
        self.line(self.event(kind, &text));
    }

    fn event(&self, kind: &str, object: &str) -> String {
        let object = self.form.single(object);
        format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
    }

    fn bookmark(&self, ends_initial_events: bool) {
        let mut metadata = json!({ "resourceVersion": self.version.to_string() });
        if ends_initial_events {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({ "metadata": metadata, "spec": { "containers": null }, "status": {} });
        self.line(self.event("BOOKMARK", &object.to_string()));
    }

    fn expired(&self) {
        let current = self.scene.read(|state| state.version);
        let message = format!("too old resource version: {} ({current})", self.version);
        self.error(&status::object(410, &message, "Expired", None));
    }

    fn internal_error(&self) {
        let message = "Internal error occurred: etcdserver: no leader";
        self.error(&status::object(500, message, "InternalError", None));
    }

    fn error(&self, object: &Value) {
        self.line(format!("{{\"type\":\"ERROR\",\"object\":{object}}}\n"));
    }

    fn cut(&self) {
        self.line("{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"apiVers");
        // Nobody to cut off if the client went away.
        drop(self.sender.send(Piece::Cut));
    }
}
