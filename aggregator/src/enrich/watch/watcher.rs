//! One kind: its list, streamed or in pages, and the changes since.

use std::{sync::Arc, time::Duration};

use rand::Rng as _;
use tokio::time::{Instant, sleep};

use super::{
    Keep, Kind, Times,
    backoff::Backoff,
    failure::{Failure, Reason},
    message,
    state::{State, Told},
};
use crate::{
    cluster::{Answer, Api, ApiError, Line, exchange},
    enrich::Odd,
};

/// Objects of a page, unless pages become too large.
const PAGE_OBJECTS: u32 = 250;
const MOST_PAGE_BYTES: usize = 8 << 20;
/// More pages than this are no list.
const MOST_PAGES: u32 = 100_000;
/// Of an answer that tells why not.
const MOST_REFUSAL_BYTES: usize = 16 << 10;
/// The server ends a watch after a time from between these: load balancers change.
const WATCH_SECONDS: std::ops::Range<u64> = 300..600;
/// A watch that ended earlier is not opened anew at once.
const SHORT_WATCH: Duration = Duration::from_secs(1);

/// How a list is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As a watch that begins with all that is there: neither side holds it all.
    Streamed,
    /// In pages this time.
    PagesOnce,
    /// In pages: the server knows nothing else.
    Pages,
}

/// See the module.
pub(super) struct Watcher {
    kind: Kind,
    api: Arc<Api>,
    keep: Arc<dyn Keep>,
    state: Arc<State>,
    times: Times,
    backoff: Backoff,
    /// What was seen; none if it must be listed.
    version: Option<String>,
    way: Way,
    page_objects: u32,
    /// All that is there is being told, as a watch.
    is_streaming: bool,
    /// Since when changes are followed.
    follows_since: Option<Instant>,
    /// Why it failed, as long as it does.
    failing: Option<Reason>,
    /// Since the last list, an odd object was told of.
    told_oddity: bool,
}

impl Watcher {
    pub(super) fn new(
        kind: Kind,
        api: Arc<Api>,
        keep: Arc<dyn Keep>,
        state: Arc<State>,
        times: Times,
    ) -> Self {
        Self {
            kind,
            api,
            keep,
            state,
            times,
            backoff: Backoff::new(times.pace),
            version: None,
            way: Way::Streamed,
            page_objects: PAGE_OBJECTS,
            is_streaming: false,
            follows_since: None,
            failing: None,
            told_oddity: false,
        }
    }

    /// Never returns.
    pub(super) async fn run(mut self) {
        let api = Arc::clone(&self.api);
        loop {
            (self.is_streaming, self.follows_since) = (false, None);
            let ended = self.go_on(&api).await;
            let was_useful = self
                .follows_since
                .is_some_and(|since| since.elapsed() >= SHORT_WATCH);
            if was_useful {
                self.backoff.reset();
            }
            let pause = match ended {
                Ok(()) if was_useful => Duration::ZERO,
                Ok(()) => self.backoff.next(),
                Err(failure) => self.fail(&failure),
            };
            sleep(pause).await;
        }
    }

    /// Lists if it must, then follows the changes until the watch ends.
    async fn go_on(&mut self, api: &Api) -> Result<(), Failure> {
        if self.version.is_none() && self.way == Way::Streamed {
            return self.follow(api, None).await;
        }
        let version = match self.version.take() {
            Some(version) => version,
            None => self.list(api).await?,
        };
        self.version = Some(version.clone());
        self.follow(api, Some(&version)).await
    }

    /// Counts and tells it; how long to wait.
    fn fail(&mut self, failure: &Failure) -> Duration {
        let reason = failure.reason();
        self.state.failures.count(reason);
        self.state.forbid(reason == Reason::Forbidden);
        if failure.needs_list() {
            self.version = None;
        }
        match reason {
            Reason::NoStreaming => self.way = Way::Pages,
            Reason::Silent | Reason::Broken if self.is_streaming => self.way = Way::PagesOnce,
            Reason::TooLarge => self.page_objects = (self.page_objects / 4).max(1),
            _ => {}
        }
        let kind = self.kind.name();
        if self.failing.replace(reason) == Some(reason) {
            log::debug!("watching {kind}: {failure}");
        } else if reason == Reason::NoStreaming {
            log::info!("watching {kind}: {failure}");
            return Duration::ZERO;
        } else {
            log::warn!("watching {kind}: {failure}");
        }
        self.backoff.next().max(failure.retry_after())
    }

    /// It is listed, or followed.
    fn works(&mut self) {
        self.follows_since = Some(Instant::now());
        self.state.forbid(false);
        if self.failing.take().is_some() {
            log::info!("watching {}: it works again", self.kind.name());
        }
    }

    async fn ask<'a>(
        &self,
        api: &'a Api,
        path: &str,
        accept: &'static str,
    ) -> Result<Answer<'a>, Failure> {
        let answer = api.get(path, accept).await?;
        let (status, retry_after) = (answer.status, answer.retry_after);
        if status.is_success() {
            return Ok(answer);
        }
        // What can't be read of the reason is not missed: the status says most.
        let body = answer.whole(MOST_REFUSAL_BYTES, self.times.listing).await;
        let body = body.unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        exchange::refusal(path, &body);
        let told = message::refusal(&body);
        let rule = self.kind.rule();
        Err(Failure::of_status(status.as_u16(), told, retry_after, rule))
    }

    /// Page after page; the version that the list is of.
    async fn list(&mut self, api: &Api) -> Result<String, Failure> {
        self.begin();
        let mut path = format!("{}&limit={}", self.kind.path(), self.page_objects);
        let first = path.len();
        for _ in 0..MOST_PAGES {
            let answer = self.ask(api, &path, self.kind.list_type()).await?;
            let body = answer.whole(MOST_PAGE_BYTES, self.times.listing).await?;
            let page = message::page(&body)?;
            for item in page.items {
                self.state.tell(Told::Listed);
                self.put("LISTED", item.get());
            }
            let Some(token) = page.token else {
                self.end();
                return Ok(page.version);
            };
            path.truncate(first);
            path.push_str("&continue=");
            path.push_str(&message::encoded(&token));
        }
        Err(Failure::Malformed("the list has no end".to_owned()))
    }

    /// The changes since this version; without one, all that is there before them.
    async fn follow(&mut self, api: &Api, version: Option<&str>) -> Result<(), Failure> {
        let mut path = format!(
            "{}&watch=true&allowWatchBookmarks=true&timeoutSeconds={}",
            self.kind.path(),
            rand::rng().random_range(WATCH_SECONDS),
        );
        match version {
            Some(version) => {
                path.push_str("&resourceVersion=");
                path.push_str(&message::encoded(version));
            }
            None => path.push_str("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
        }
        let answer = match self.ask(api, &path, self.kind.watch_type()).await {
            Err(Failure::Status {
                status: 400 | 422, ..
            }) if version.is_none() => {
                return Err(Failure::NoStreaming);
            }
            answer => answer?,
        };
        self.is_streaming = version.is_none();
        if self.is_streaming {
            self.begin();
        } else {
            self.works();
        }
        let mut lines = answer.lines();
        loop {
            let patience = match self.is_streaming {
                true => self.times.listing,
                false => self.times.silence,
            };
            match lines.next(patience).await? {
                Some(Line::Text(line)) => self.take(line)?,
                Some(Line::TooLong) => self.leave_out(),
                None if self.is_streaming => return Err(Failure::EndedEarly),
                None => return Ok(()),
            }
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Failure> {
        let event = message::event(line)?;
        let object = event.object.get();
        match &*event.r#type {
            "ADDED" => {
                self.state.tell(Told::Added);
                self.put("ADDED", object);
            }
            "MODIFIED" => {
                self.state.tell(Told::Modified);
                self.put("MODIFIED", object);
            }
            "DELETED" => {
                self.state.tell(Told::Deleted);
                exchange::event(self.kind.name(), "DELETED", object);
                exchange::cache(self.kind.name(), "gone");
                let gone = self.keep.gone(self.kind, object);
                self.judge(gone);
            }
            "BOOKMARK" => {
                self.state.tell(Told::Bookmark);
                exchange::event(self.kind.name(), "BOOKMARK", object);
                return self.pass(object);
            }
            "ERROR" => {
                exchange::event(self.kind.name(), "ERROR", object);
                return Err(message::error(object, self.kind.rule()));
            }
            // Whatever a newer server tells.
            _ => self.state.failures.count(Reason::Odd),
        }
        if !self.is_streaming {
            // While all is told that is there, these are the objects' own versions.
            self.move_to(message::progress(object).version);
        }
        Ok(())
    }

    fn pass(&mut self, bookmark: &str) -> Result<(), Failure> {
        let progress = message::progress(bookmark);
        if self.is_streaming {
            if !progress.ends_list {
                // Those of a streaming list come after its end only.
                return Err(Failure::NoStreaming);
            }
            if progress.version.is_none() {
                let reason = "a list without a version".to_owned();
                return Err(Failure::Malformed(reason));
            }
            self.is_streaming = false;
            self.end();
        }
        self.move_to(progress.version);
        Ok(())
    }

    fn move_to(&mut self, version: Option<String>) {
        match version {
            Some(version) => self.version = Some(version),
            None => self.state.failures.count(Reason::Odd),
        }
    }

    fn put(&mut self, event: &str, object: &str) {
        exchange::event(self.kind.name(), event, object);
        exchange::cache(self.kind.name(), "put");
        let put = self.keep.put(self.kind, object);
        self.judge(put);
    }

    fn begin(&mut self) {
        self.told_oddity = false;
        exchange::cache(self.kind.name(), "begin");
        self.keep.begin(self.kind);
    }

    fn end(&mut self) {
        exchange::cache(self.kind.name(), "end");
        self.keep.end(self.kind);
        if self.way == Way::PagesOnce {
            self.way = Way::Streamed;
        }
        self.state.listed();
        self.works();
    }

    /// Told once per list: the same object comes again and again.
    fn judge(&mut self, kept: Result<(), Odd>) {
        let Err(odd) = kept else { return };
        self.state.failures.count(Reason::Odd);
        if !std::mem::replace(&mut self.told_oddity, true) {
            let odd = crate::printable(&odd.0, 300);
            log::warn!("watching {}: left out: {odd}", self.kind.name());
        }
    }

    fn leave_out(&mut self) {
        self.state.failures.count(Reason::TooLarge);
        if !std::mem::replace(&mut self.told_oddity, true) {
            let most = ApiError::TooLarge(crate::cluster::MOST_LINE_BYTES);
            log::warn!("watching {}: left out: {most}", self.kind.name());
        }
    }
}
