//! One kind: its list, streamed or in pages, and the changes since.

mod follow;
mod list;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Keep, Kind, Times,
    backoff::Backoff,
    failure::{Failure, Reason},
    message,
    state::State,
};
use crate::cluster::{Answer, Api, exchange};

/// Objects of a page, unless pages become too large.
const PAGE_OBJECTS: u32 = 250;
/// Of an answer that tells why not.
const MOST_REFUSAL_BYTES: usize = 16 << 10;
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
        if reason == Reason::NoStreaming {
            log::info!("watching {kind}: {failure}");
            return Duration::ZERO;
        }
        match self.failing.replace(reason) == Some(reason) {
            true => log::debug!("watching {kind}: {failure}"),
            false => log::warn!("watching {kind}: {failure}"),
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
}
