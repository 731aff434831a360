//! Keeps the store of pods at what the API server tells: a list, then the changes since, for good.

use std::{
    borrow::Cow,
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use protocol::pod::{Field, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    backoff::{Backoff, Pace},
    client::{Api, Settings, collect, encoded, refused},
    error::ApiError,
    facts,
    lines::Lines,
    store::PodStore,
};
use crate::health::Health;

const RULE: &str = "the rule {apiGroups: [\"\"], resources: [pods], verbs: [list, watch]}";
const PAGE_PODS: u32 = 50;
const MOST_PAGE_BYTES: usize = 4 * 1_024 * 1_024;
/// Both go into a path.
const MOST_VERSION_BYTES: usize = 256;
const MOST_TOKEN_BYTES: usize = 4 * 1_024;
/// More pages than this many pods can fill are no list.
const MOST_PAGES: u32 = 2_500;
/// The server ends a watch after it: credentials and load balancers change.
const WATCH_SECONDS: u64 = 240;
/// A watch that ended earlier is not opened anew at once.
const SHORT_WATCH: Duration = Duration::from_secs(1);

/// Follows this node's pods. Never returns; to be run by `spawn_local`.
pub async fn watch(settings: Settings, store: Rc<RefCell<PodStore>>, health: Health) {
    Watcher::new(settings, store, health, Pace::USUAL)
        .run()
        .await;
}

pub(super) struct Watcher {
    api: Api,
    store: Rc<RefCell<PodStore>>,
    health: Health,
    backoff: Backoff,
    /// What the store has seen; none if it must be listed.
    version: Option<String>,
    page_pods: u32,
    /// The watch was opened.
    is_open: bool,
    /// Since the last list, odd pods were told of.
    told_oddities: bool,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    metadata: ListMetadata<'a>,
    /// The server may say null for none.
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata<'a> {
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    #[serde(borrow, default)]
    r#continue: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow)]
    metadata: Version<'a>,
}

#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow, default, rename = "resourceVersion")]
    resource_version: Field<Text<'a>>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    message: String,
}

/// What a page told.
struct Page {
    version: String,
    token: Option<String>,
}

impl Watcher {
    pub fn new(
        settings: Settings,
        store: Rc<RefCell<PodStore>>,
        health: Health,
        pace: Pace,
    ) -> Self {
        Self {
            api: Api::new(settings),
            store,
            health,
            backoff: Backoff::new(pace),
            version: None,
            page_pods: PAGE_PODS,
            is_open: false,
            told_oddities: false,
        }
    }

    pub async fn run(mut self) {
        loop {
            let begin = Instant::now();
            self.is_open = false;
            let ended = self.go_on().await;
            let was_useful = self.is_open && begin.elapsed() >= SHORT_WATCH;
            if was_useful {
                self.backoff.reset();
            }
            let pause = match ended {
                Ok(()) if was_useful => Duration::ZERO,
                Ok(()) => self.backoff.next(),
                Err(error) => self.fail(&error),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Tells it, and how long to wait.
    fn fail(&mut self, error: &ApiError) -> Duration {
        self.health.failed(error.kind(), error.to_string());
        if error.needs_list() {
            self.version = None;
        }
        if matches!(error, ApiError::TooLarge { .. }) {
            self.page_pods = (self.page_pods / 4).max(1);
        }
        let pause = self.backoff.next();
        // A token that was replaced meanwhile is good at once.
        if matches!(error, ApiError::Unauthorized) && matches!(self.api.refresh(), Ok(true)) {
            return Duration::ZERO;
        }
        pause.max(error.retry_after().unwrap_or_default())
    }

    /// Lists if it must, then follows the changes until the watch ends.
    async fn go_on(&mut self) -> Result<(), ApiError> {
        self.api.refresh()?;
        let version = match self.version.take() {
            Some(version) => version,
            None => {
                let version = self.list().await?;
                self.health.works();
                version
            }
        };
        self.version = Some(version.clone());
        self.follow(&version).await
    }

    async fn list(&mut self) -> Result<String, ApiError> {
        self.told_oddities = false;
        self.store.borrow_mut().begin_list();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let path = self.list_path(token.as_deref());
            let answer = self.api.get(&path, RULE).await?;
            let body = collect(answer.into_body(), MOST_PAGE_BYTES).await?;
            let page = self.take_page(&body)?;
            if page.token.is_none() {
                self.store.borrow_mut().end_list();
                return Ok(page.version);
            }
            token = page.token;
        }
        Err(ApiError::Json("the list of pods has no end".into()))
    }

    fn selector(&self) -> String {
        let node = encoded(&self.api.settings().node_name);
        format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")
    }

    fn list_path(&self, token: Option<&str>) -> String {
        let mut path = format!("{}&limit={}", self.selector(), self.page_pods);
        if let Some(token) = token {
            path.push_str("&continue=");
            path.push_str(&encoded(token));
        }
        path
    }

    fn take_page(&mut self, body: &[u8]) -> Result<Page, ApiError> {
        let list: List<'_> = parse(body)?;
        let metadata = list.metadata;
        if !(1..=MOST_VERSION_BYTES).contains(&metadata.resource_version.len()) {
            return Err(ApiError::Json("a list of pods without a version".into()));
        }
        let token = metadata.r#continue.filter(|token| !token.is_empty());
        if token
            .as_ref()
            .is_some_and(|token| token.len() > MOST_TOKEN_BYTES)
        {
            return Err(ApiError::Json(
                "a list of pods with an endless token".into(),
            ));
        }
        let mut oddities = 0;
        for item in list.items.unwrap_or_default() {
            match facts::read(item.get(), &mut oddities) {
                Some(facts) => self.store.borrow_mut().apply(facts),
                None => oddities += 1,
            }
        }
        self.tell(oddities);
        Ok(Page {
            version: metadata.resource_version.into_owned(),
            token: token.map(Cow::into_owned),
        })
    }

    async fn follow(&mut self, version: &str) -> Result<(), ApiError> {
        let path = format!(
            "{}&watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
            self.selector(),
            encoded(version),
        );
        let answer = self.api.get(&path, RULE).await?;
        let silence = self.api.settings().silence;
        let mut lines = Lines::new(answer.into_body(), silence);
        self.health.works();
        self.is_open = true;
        while let Some(line) = lines.next().await? {
            self.take_event(line)?;
            self.backoff.reset();
        }
        Ok(())
    }

    fn take_event(&mut self, line: &[u8]) -> Result<(), ApiError> {
        let event: Event<'_> = parse(line)?;
        let text = event.object.get();
        match &*event.r#type {
            "ERROR" => return Err(error_of(text)),
            "ADDED" | "MODIFIED" => self.take_change(text, PodStore::apply),
            "DELETED" => self.take_change(text, |store, facts| {
                // With its last words: how its containers ended.
                let uid = facts.uid.clone();
                if store.find(&uid).is_some() {
                    store.apply(facts);
                }
                store.remove(&uid);
            }),
            "BOOKMARK" => {}
            _ => self.tell(1),
        }
        let versioned: Result<Versioned<'_>, _> = serde_json::from_str(text);
        let version = versioned
            .ok()
            .and_then(|object| object.metadata.resource_version.owned(&mut 0));
        match version {
            Some(version) => self.version = Some(version),
            None => self.tell(1),
        }
        Ok(())
    }

    fn take_change(&mut self, text: &str, change: fn(&mut PodStore, facts::PodFacts)) {
        let mut oddities = 0;
        match facts::read(text, &mut oddities) {
            Some(facts) => change(&mut self.store.borrow_mut(), facts),
            None => oddities += 1,
        }
        self.tell(oddities);
    }

    /// Once per list: the same pod is told again and again.
    fn tell(&mut self, oddities: u64) {
        if oddities > 0 && !std::mem::replace(&mut self.told_oddities, true) {
            let message = format!("{oddities} values of pods can't be read and count as not told");
            self.health.noticed("json", &message);
        }
    }
}

/// What an event tells that is an error.
fn error_of(text: &str) -> ApiError {
    let status: Option<Status> = serde_json::from_str(text).ok();
    match status {
        Some(status) => {
            let message = ApiError::said(status.message.as_bytes());
            refused(status.code, message, None, RULE)
        }
        None => ApiError::Json("an error event without a status".into()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(json).map_err(|error| ApiError::Json(error.to_string()))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
