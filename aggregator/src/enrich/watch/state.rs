//! How each watch is: what probes, metrics and commits ask for.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use tokio::time::Instant;

use super::{Kind, failure::Reason};
use crate::status::{Counts, Page, label::label};

label! {
    /// What a watch tells.
    Told {
        /// An object is there.
        Added = "added",
        /// An object is another than before.
        Modified = "modified",
        /// An object is gone.
        Deleted = "deleted",
        /// Nothing else has happened.
        Bookmark = "bookmark",
        /// An object of a page.
        Listed = "listed",
    }
}

/// Of one kind.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The first list is whole.
    is_listed: AtomicBool,
    /// It may not be had.
    is_forbidden: AtomicBool,
    /// Lists that became whole.
    lists: AtomicU64,
    pub(super) told: Counts<Told>,
    pub(super) failures: Counts<Reason>,
    last: Mutex<Option<Instant>>,
}

impl State {
    pub(super) fn is_listed(&self) -> bool {
        self.is_listed.load(Relaxed)
    }

    /// Waiting for its first list is of no use any more.
    pub(super) fn is_settled(&self) -> bool {
        self.is_listed() || self.is_forbidden.load(Relaxed)
    }

    /// The list is whole.
    pub(super) fn listed(&self) {
        self.lists.fetch_add(1, Relaxed);
        self.is_listed.store(true, Relaxed);
    }

    pub(super) fn forbid(&self, is_forbidden: bool) {
        self.is_forbidden.store(is_forbidden, Relaxed);
    }

    /// An event has come.
    pub(super) fn tell(&self, told: Told) {
        self.told.count(told);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn last(&self) -> Option<Instant> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn lists(&self) -> u64 {
        self.lists.load(Relaxed)
    }
}

/// The metrics of all kinds.
pub(super) fn report<'a>(page: &mut Page, of: impl Fn(Kind) -> &'a std::sync::Arc<State>) {
    let name = "podledger_aggregator_watch_listed";
    page.head(name, "gauge", "1 once the first list of a kind is whole.");
    for kind in Kind::ALL {
        let value = u8::from(of(kind).is_listed());
        page.line(name, &[("kind", kind.name())], value);
    }
    let name = "podledger_aggregator_watch_lists_total";
    page.head(
        name,
        "counter",
        "Lists that became whole, by kind: more than one are lists made anew.",
    );
    for kind in Kind::ALL {
        let value = of(kind).lists.load(Relaxed);
        page.line(name, &[("kind", kind.name())], value);
    }
    let name = "podledger_aggregator_watch_events_total";
    page.head(
        name,
        "counter",
        "What the API server told, by kind and event.",
    );
    for kind in Kind::ALL {
        for (event, value) in of(kind).told.each() {
            page.line(name, &[("kind", kind.name()), ("event", event)], value);
        }
    }
    let name = "podledger_aggregator_watch_failures_total";
    page.head(name, "counter", "Failures, by kind and reason.");
    for kind in Kind::ALL {
        for (reason, value) in of(kind).failures.each() {
            page.line(name, &[("kind", kind.name()), ("reason", reason)], value);
        }
    }
    let name = "podledger_aggregator_watch_last_event_seconds";
    page.head(
        name,
        "gauge",
        "Time since the API server last told something, bookmarks included.",
    );
    for kind in Kind::ALL {
        if let Some(last) = of(kind).last() {
            let value = last.elapsed().as_secs_f64();
            page.line(name, &[("kind", kind.name())], value);
        }
    }
}
